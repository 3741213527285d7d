"""One item, put by one program -> the model's calls -> ItemResult: a score, and a fitness that the search can climb."""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from neuroforge.contracts.answers import content_of, text_of, usage_of
from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.models import Price
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.prompts import PromptProgram, words_of
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.contracts.scores import Score
from neuroforge.datasets.words import label_of
from neuroforge.errors import NeuroForgeError
from neuroforge.prompts.answers import softmax, vote
from neuroforge.prompts.render import Prompt, bare_prompt_of, prompt_of

T = TypeVar("T")
CONTENT_FREE = "N/A"
"""Stands for the question when labels are calibrated. Source: Zhao et al., arXiv:2102.09690."""
END_OF_ANSWER = "\n\n"
"""Where an answer stops that no chat template ends, unless the program says where: after it the next example begins."""
MAX_ATTEMPTS = 4
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 20.0


class Models(Protocol):
    """The part of the async client that is needed."""

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body."""
        ...

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """One score a label."""
        ...


class TargetModels(Models, Protocol):
    """Those that programs are for."""

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body."""
        ...


class ItemResult(Contract):
    """What one program got on one item; kept under `key`, so that nothing is asked twice."""

    key: str
    """Of model, weights, messages, parameters and labels."""
    item_id: str
    score: float | None = None
    fitness: float | None = None
    reason: str | None = None
    """Why there is no score."""
    reply: str | None = None
    answer: str | None = None
    n_calls: int = 0
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    """Of all its calls together."""
    logprobs: tuple[float, ...] = ()
    """Of labels, in their order, where that is all that was asked for."""
    is_failed: bool = False
    """A call failed: asked again by a later run."""


@dataclass(frozen=True)
class Target:
    """The model that programs are for."""

    model_id: str
    digest: str | None = None
    labels: tuple[str, ...] = ()
    """Climb the probabilities of these labels; empty = generate and score."""
    price: Price = field(default_factory=Price)
    takes_text: bool = True
    """Whether it continues a text without its chat template."""


@dataclass
class ItemAsker:
    """Asks one item at a time. `score` judges a reply, and may take long: it is called in a thread."""

    client: TargetModels
    target: Target
    score: Callable[[DatasetItem, str], Awaitable[Score]]
    sleep: Callable[[float], Awaitable[None]]
    clock: Clock = time.monotonic

    def key(self, program: PromptProgram, item: DatasetItem) -> str:
        """Return the same text for the same calls, in every run."""
        labels = self._labels(item)
        return self._hash(
            {
                "messages": prompt_of(program, item),
                "parameters": parameters_of(program, item),
                "n_samples": program.n_samples,
                "labels": words_of(program.verbalizer, labels),
                "calibrate": program.calibrate if labels else False,
                "references": item.references,
            }
        )

    def bare_key(self, program: PromptProgram, item: DatasetItem) -> str | None:
        """Return the key of the call without a question that calibrates the item's labels; None = there is none."""
        labels = self._labels(item)
        if not program.calibrate or not labels:
            return None
        return self._hash({"messages": self._bare(program, item), "words": words_of(program.verbalizer, labels)})

    async def ask(self, program: PromptProgram, item: DatasetItem, bare: ItemResult | None = None) -> ItemResult:
        """Return the result; a call that failed for good is a result without a score.

        Args:
            bare: What `ask_bare` gave, where there is a `bare_key`.
        """

        async def told() -> dict[str, Any]:
            if labels := self._labels(item):
                return await self._by_labels(program, item, labels, bare)
            return await self._by_replies(program, item)

        return await self._result(self.key(program, item), item.id, told, program.n_samples)

    async def ask_bare(self, program: PromptProgram, item: DatasetItem, bare_key: str) -> ItemResult:
        """Return the labels' log-probabilities without a question, as `logprobs`."""

        async def told() -> dict[str, Any]:
            found = await self._label_logprobs(
                self._bare(program, item), words_of(program.verbalizer, self._labels(item))
            )
            logprobs = tuple(one.logprob for one in found.scores)
            return {"logprobs": logprobs, "n_calls": 1, "n_prompt_tokens": found.n_prompt_tokens}

        return await self._result(bare_key, CONTENT_FREE, told, n_calls=1)

    async def _result(
        self, key: str, item_id: str, ask: Callable[[], Awaitable[dict[str, Any]]], n_calls: int
    ) -> ItemResult:
        begun_s = self.clock()
        try:
            told = await ask()
        except NeuroForgeError as error:
            # What a failed call cost nobody tells: a budget counts it as made.
            told = {"reason": f"call failed: {error.code}", "is_failed": True, "n_calls": n_calls}
        cost_usd = self.target.price.cost_usd(told.get("n_prompt_tokens", 0), told.get("n_completion_tokens", 0))
        values = {"key": key, "item_id": item_id, "latency_s": self.clock() - begun_s, **told, "cost_usd": cost_usd}
        return ItemResult.model_validate(values)

    def _hash(self, parts: dict[str, Any]) -> str:
        asked = {"model": self.target.model_id, "digest": self.target.digest, **parts}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]

    def _bare(self, program: PromptProgram, item: DatasetItem) -> Prompt:
        return bare_prompt_of(program, item, CONTENT_FREE)

    def _labels(self, item: DatasetItem) -> tuple[str, ...]:
        """An item's own labels, else the task's; none where replies are scored."""
        return (item.labels or self.target.labels) if self.target.labels else ()

    async def _by_labels(
        self, program: PromptProgram, item: DatasetItem, labels: tuple[str, ...], bare: ItemResult | None
    ) -> dict[str, Any]:
        if bare is not None and bare.is_failed:
            return {"reason": bare.reason, "is_failed": True}
        found = await self._label_logprobs(prompt_of(program, item), words_of(program.verbalizer, labels))
        logprobs = [one.logprob for one in found.scores]
        if bare is not None:
            logprobs = [one - without for one, without in zip(logprobs, bare.logprobs, strict=True)]
        shares = softmax(logprobs)
        right = [label in item.references for label in labels]
        chosen = max(range(len(labels)), key=lambda place: logprobs[place])
        score = float(right[chosen])
        share = sum(share for share, is_right in zip(shares, right, strict=True) if is_right)
        return {
            "score": score,
            # The share alone takes a prompt that is sure of itself for better than one that is right more often.
            "fitness": (score + min(1.0, share)) / 2,
            "answer": labels[chosen],
            "n_calls": 1,
            "n_prompt_tokens": found.n_prompt_tokens,
        }

    async def _by_replies(self, program: PromptProgram, item: DatasetItem) -> dict[str, Any]:
        prompt, options = prompt_of(program, item), parameters_of(program, item)
        replies, scores = [], []
        n_prompt = n_completion = 0
        for number in range(program.n_samples):
            sampled = {**options, "seed": options["seed"] + number}
            body = await self._retried(lambda sampled=sampled: self._answered(prompt, sampled))  # type: ignore[misc]
            usage = usage_of(body)
            n_prompt += 0 if usage is None else usage.n_prompt_tokens
            n_completion += 0 if usage is None else usage.n_completion_tokens
            reply = (content_of(body) if program.chat_template else text_of(body)) or ""
            replies.append(label_of(reply, program.verbalizer) or reply)
            scores.append(await self._judged(item, replies[-1]))
        place = vote(scores)
        chosen = scores[place]
        return {
            "score": chosen.value,
            "fitness": chosen.value,
            "reason": None if chosen.is_scored else chosen.reason,
            "reply": replies[place],
            "answer": chosen.answer,
            "n_calls": program.n_samples,
            "n_prompt_tokens": n_prompt,
            "n_completion_tokens": n_completion,
        }

    async def _judged(self, item: DatasetItem, reply: str) -> Score:
        try:
            return await self.score(item, reply)
        except NeuroForgeError:
            raise
        except Exception as error:  # noqa: BLE001 - a metric is someone else's code: its row is lost, not the run
            return Score(reason=f"the metric raised {type(error).__name__}: {' '.join(str(error).split())[:200]}")

    async def _answered(self, prompt: Prompt, options: dict[str, Any]) -> JsonObject:
        model_id = self.target.model_id
        if isinstance(prompt, str):
            return await self.client.completion(prompt, model=model_id, neuroforge=AS_NAMED, **options)
        return await self.client.chat(list(prompt), model=model_id, neuroforge=AS_NAMED, **options)

    async def _label_logprobs(self, prompt: Prompt, words: Sequence[str]) -> LabelLogprobs:
        if isinstance(prompt, str):
            # A word begins with its space, where the text does not end with one.
            asked: Any = prompt
            words = [word if prompt[-1:].isspace() else f" {word}" for word in words]
        else:
            asked = list(prompt)
        return await self._retried(lambda: self.client.label_logprobs(asked, list(words), self.target.model_id))

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, MAX_ATTEMPTS):
            try:
                return await call()
            except NeuroForgeError as error:
                if not error.retryable:
                    raise
                asked_s = error.context.get("retry_after_s")
                wait_s = float(asked_s) if isinstance(asked_s, int | float) else _FIRST_WAIT_S * 2 ** (attempt - 1)
                await self.sleep(min(wait_s, _LONGEST_WAIT_S))
        return await call()


def parameters_of(program: PromptProgram, item: DatasetItem) -> dict[str, Any]:
    """Return OpenAI's fields for one call."""
    decoding = program.decoding
    found: dict[str, Any] = {
        "temperature": decoding.temperature,
        "seed": decoding.seed,
        "max_tokens": decoding.max_tokens or (item.max_tokens * 8 if program.reasoning_cue else item.max_tokens),
    }
    if decoding.top_p is not None:
        found["top_p"] = decoding.top_p
    stop = decoding.stop if program.chat_template else decoding.stop or (END_OF_ANSWER,)
    if stop:
        found["stop"] = list(stop)
    return found
