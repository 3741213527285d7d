"""Calls beside the measured ones (analysis, writing, votes): each is made once a run, and what it cost is kept."""

import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neuroforge.contracts.answers import usage_of
from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.models import Price
from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError
from neuroforge.prompts.ask import Models
from neuroforge.prompts.spend import Spent, spent_on
from neuroforge.storage.append_log import AppendLog
from neuroforge.storage.log_lines import LineKind

BESIDE = "beside.jsonl"


class BesideCall(Contract):
    """One call, with its answer."""

    key: str
    """Of everything that was sent."""
    answer: JsonObject
    n_calls: int = 1
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    cost_usd: float = 0.0
    written_by: str | None = None
    """Model that wrote something of use, which this line notes: it is no call, and has no answer."""


_LINES = LineKind(BesideCall, "call", "use another directory")


class RememberingModels:
    """`Models` that asks the same only once, in this process and those after it. A call that failed is not kept."""

    def __init__(self, client: Models, price_by_model: Mapping[str, Price], path: Path, clock: Clock) -> None:
        """`clock` is monotonic.

        Raises:
            ConflictError: Another process writes the file. DataError: A line of it is none of ours.
        """
        self._client = client
        self._price_by_model = price_by_model
        self._log = AppendLog(path, clock)
        try:
            self._calls = {call.key: call for call in _LINES.read(path)}
        except DataError:
            self._log.close()
            raise

    @property
    def spent(self) -> Spent:
        """On all of them, those of earlier processes too."""
        return spent_on(self._calls.values())

    @property
    def written_by_model(self) -> dict[str, int]:
        """Texts of use that each model wrote, in earlier processes too."""
        return dict(sorted(Counter(one.written_by for one in self._calls.values() if one.written_by).items()))

    def note_written(self, model_id: str, task: str, place: int) -> None:
        """See improve.NotingModels."""
        key = _key(["written", model_id, task, place])
        if key not in self._calls:
            self._keep(BesideCall(key=key, answer={}, n_calls=0, written_by=model_id))

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """See Models."""

        async def ask() -> tuple[JsonObject, int, int]:
            body = await self._client.chat(messages, model=model, **options)
            usage = usage_of(body)
            return (
                body,
                0 if usage is None else usage.n_prompt_tokens,
                0 if usage is None else usage.n_completion_tokens,
            )

        return await self._remembered([model, messages, options], model, ask)

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """See Models."""

        async def ask() -> tuple[JsonObject, int, int]:
            found = await self._client.label_logprobs(prompt, labels, model)
            return found.model_dump(mode="json"), found.n_prompt_tokens, 0

        return LabelLogprobs.model_validate(await self._remembered([model, prompt, list(labels)], model, ask))

    def close(self) -> None:
        """Let other processes write."""
        self._log.close()

    async def _remembered(
        self, parts: list[Any], model: str, ask: Callable[[], Awaitable[tuple[JsonObject, int, int]]]
    ) -> JsonObject:
        key = _key(parts)
        if key not in self._calls:
            answer, n_prompt, n_completion = await ask()
            call = BesideCall(
                key=key,
                answer=answer,
                n_prompt_tokens=n_prompt,
                n_completion_tokens=n_completion,
                cost_usd=self._price_by_model.get(model, Price()).cost_usd(n_prompt, n_completion),
            )
            self._keep(call)
        return self._calls[key].answer

    def _keep(self, call: BesideCall) -> None:
        self._log.append(call.model_dump_json().encode())
        self._calls[call.key] = call


def _key(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
