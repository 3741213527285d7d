"""POST /v1/tasks -> several calls to real models -> one result, whole and on the key's account."""

import time
from collections.abc import Iterator

import httpx2
import pytest

from neuroforge.client import Client
from neuroforge.errors import ModelNotFound, RequestError
from tests.cluster.fleet import load, small, unload, until
from tests.server import RunningServer

MODEL, SECOND_MODEL = "smollm2-135m-instruct", "tasks-b"


@pytest.fixture
def client(gateway: RunningServer) -> Iterator[Client]:
    with Client(gateway.base_url, gateway.api_key, timeout_s=120.0) as one:
        yield one


@pytest.fixture(scope="module")
def two_models(gateway: RunningServer) -> Iterator[RunningServer]:
    with gateway.admin() as admin:
        load(admin, small(SECOND_MODEL))
        yield gateway
        unload(admin, SECOND_MODEL)


def audited(gateway: RunningServer, request_id: str) -> tuple[int, int] | None:
    """Prompt and completion tokens that the audit log has for this task; None while it is not there yet."""
    with gateway.admin() as admin:
        for record in reversed(admin.tail_audit(200)):
            if record.event.request_id == request_id:
                detail = record.event.detail
                return int(detail.get("n_prompt_tokens") or 0), int(detail.get("n_completion_tokens") or 0)
    return None


def test_prompts_are_answered_at_once_and_in_their_order(client: Client) -> None:
    prompts = [f"Repeat this number: {number}" for number in (1111, 2222, 3333)]
    alone = [
        client.chat(prompt, MODEL, max_tokens=12, temperature=0)["choices"][0]["message"]["content"]
        for prompt in prompts
    ]

    result = client.parallel(prompts, MODEL, max_tokens=12, temperature=0)

    assert [one.text for one in result.members] == alone
    assert len(set(alone)) == 3
    assert (result.text, result.winner, [one.error for one in result.members]) == (None, None, [None] * 3)


def test_a_consensus_of_three_tells_agreement_and_counts_all_three(gateway: RunningServer, client: Client) -> None:
    result = client.consensus("Is the sky blue? Answer yes or no.", 3, MODEL, max_tokens=8, seed=1)

    assert [one.model_id for one in result.members] == [MODEL] * 3
    assert result.winner is not None
    assert result.text == result.members[result.winner].text
    assert result.agreement is not None
    assert result.agreement >= 1 / 3 - 1e-9
    assert all(one.usage.n_prompt_tokens > 0 and one.usage.n_completion_tokens > 0 for one in result.members)
    assert result.usage.n_prompt_tokens == sum(one.usage.n_prompt_tokens for one in result.members)
    assert result.usage.n_completion_tokens == sum(one.usage.n_completion_tokens for one in result.members)
    assert result.cost_usd == pytest.approx(sum(one.cost_usd for one in result.members))
    assert result.cost_usd > 0
    until(lambda: audited(gateway, result.task_id) is not None, "the task is in the audit log", 30)
    assert audited(gateway, result.task_id) == (result.usage.n_prompt_tokens, result.usage.n_completion_tokens)


def test_votes_with_a_seed_come_again(client: Client) -> None:
    first, second = (client.consensus("Name a colour.", 2, MODEL, max_tokens=6, seed=7) for _ in range(2))
    assert [one.text for one in first.members] == [one.text for one in second.members]


def test_candidates_come_from_different_models_and_can_be_judged(two_models: RunningServer, client: Client) -> None:
    result = client.task(
        mode="creative",
        messages="Write a line about rain.",
        models=[MODEL, SECOND_MODEL],
        n=2,
        scorer="logprob",
        options={"max_tokens": 12},
    )
    assert [one.model_id for one in result.members] == [MODEL, SECOND_MODEL]
    scores = [one.score for one in result.members]
    assert result.winner is not None
    assert scores[result.winner] == max(one for one in scores if one is not None)
    assert result.body is not None
    assert (result.body["model"], result.body["id"][:9]) == (result.members[result.winner].model_id, "chatcmpl-")


def test_a_cascade_climbs_when_the_first_answer_does_not_stand(two_models: RunningServer, client: Client) -> None:
    options = {"max_tokens": 8, "temperature": 0}
    fields = {"mode": "cascade", "messages": "Say hello.", "models": [MODEL, SECOND_MODEL], "verifier": "logprob"}
    stands = client.task(**fields, threshold=0.0, options=options)
    climbs = client.task(**fields, threshold=1.0, options=options)
    assert [one.model_id for one in stands.members] == [MODEL]
    assert ([one.model_id for one in climbs.members], climbs.escalations) == ([MODEL, SECOND_MODEL], 1)


def test_members_may_be_rated(two_models: RunningServer, client: Client) -> None:
    result = client.parallel(["Say hello.", "Say bye."], max_tokens=4)
    ids = [one.decision_id for one in result.members]
    assert len(set(ids)) == 2
    assert [client.feedback(one or "", score=True).status for one in ids] == ["accepted"] * 2


def test_wrong_tasks_name_their_field(client: Client) -> None:
    with pytest.raises(ModelNotFound) as missing:
        client.creative("Hi", model=[MODEL, "nobody"])
    with pytest.raises(RequestError) as unknown:
        client.parallel(["Hi"], MODEL, heat=2)
    assert (missing.value.context["param"], unknown.value.context["param"]) == ("models[1]", "options.heat")


def test_hanging_up_frees_every_slot_and_is_booked(gateway: RunningServer, client: Client) -> None:
    body = {
        "mode": "consensus",
        "model": MODEL,
        "n": 8,
        "messages": [{"role": "user", "content": "Tell a very long story."}],
        "options": {"max_tokens": 1500, "temperature": 0.9},
    }
    headers = {"authorization": f"Bearer {gateway.api_key}", "x-request-id": "hung-up"}
    with pytest.raises(httpx2.TimeoutException):
        httpx2.post(f"{gateway.base_url}/v1/tasks", json=body, headers=headers, timeout=3.0)
    asked_s = time.monotonic()
    client.chat("Hi", MODEL, max_tokens=1)
    assert time.monotonic() - asked_s < 10.0
    until(lambda: audited(gateway, "hung-up") is not None, "the task is in the audit log", 30)
    booked = audited(gateway, "hung-up")
    assert booked is not None
    assert min(booked) > 0
