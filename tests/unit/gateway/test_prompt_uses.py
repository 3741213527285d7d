"""What requests of prompts came to is counted in the replica and handed over each second."""

from typing import Any

from neuroforge.contracts.prompt_serving import PromptUse
from neuroforge.contracts.prompts import PromptCounts
from neuroforge.contracts.routing import Outcome, PromptTag
from neuroforge.errors import StorageError
from neuroforge.gateway.desk import open_desk
from neuroforge.gateway.exchange import StateExchange
from neuroforge.gateway.prompt_uses import PromptUses
from tests.unit.gateway.fakes import Gateway, decision

TAG = PromptTag(name="sense", version=2)


def outcome(**changes: Any) -> Outcome:
    values = {"decision_id": "d", "request_id": "r", "model_id": "small", "policy": "explicit", "status": 200}
    return Outcome.model_validate(
        {**values, "latency_s": 0.5, "n_prompt_tokens": 10, "n_completion_tokens": 4, **changes}
    )


def test_answers_are_summed_failures_counted_and_callers_that_left_are_not() -> None:
    uses = PromptUses()
    for status in (200, 200, 503, 499):
        uses.see(decision(prompt=TAG), outcome(status=status))
    uses.see(decision(), outcome())
    counts = PromptCounts(n_requests=3, n_failures=1, latency_s=1.0, n_prompt_tokens=20, n_completion_tokens=8)
    assert uses.take() == (PromptUse(tag=TAG, counts=counts),)
    assert uses.take() == ()


def test_a_shadow_is_counted_apart() -> None:
    uses = PromptUses()
    shadow = PromptTag(name="sense", version=2, is_shadow=True)
    for tag in (TAG, shadow):
        uses.see(decision(prompt=tag), outcome())
    assert [one.tag for one in uses.take()] == [TAG, shadow]


async def test_what_the_store_did_not_take_is_handed_over_with_the_next_exchange() -> None:
    gateway = Gateway()
    parts = gateway.parts()
    exchange = StateExchange(parts, open_desk(parts))
    parts.prompt_uses.see(decision(prompt=TAG), outcome())
    gateway.state.error = StorageError("away")
    assert not await exchange.try_once()
    parts.prompt_uses.see(decision(prompt=TAG), outcome())
    gateway.state.error = None
    assert await exchange.try_once()
    (use,) = gateway.state.reports[0].prompt_uses
    assert (use.tag, use.counts.n_requests) == (TAG, 2)
