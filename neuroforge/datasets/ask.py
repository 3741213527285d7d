"""Item and model -> one call, retried while that helps -> Answer."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.contracts.scores import Score
from neuroforge.datasets.journal import dump_settings
from neuroforge.errors import EngineError, NeuroForgeError
from neuroforge.scoring.choice import score_label_logprobs

MAX_ATTEMPTS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 20.0
_NOT_SENT = {"task", "group", "dataset", "paraphrase_of", "split", "fields"}
_SENT_IF_USED = ("messages", "tools")
"""Left out where empty, so that cells of items without them keep the id that they had before these fields were."""


class Models(Protocol):
    """The part of the client that is needed; safe to call from several threads."""

    def chat(self, messages: str | list[JsonObject], model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body; a text is one user message."""
        ...

    def label_logprobs(self, prompt: list[JsonObject], labels: Sequence[str], model: str) -> LabelLogprobs:
        """One score a label."""
        ...


@dataclass(frozen=True)
class Contestant:
    """One model as it is hosted now."""

    model_id: str
    digest: str | None = None
    """Of its weights: another file under the same name is another model."""
    n_slots: int = 1
    """Requests that it answers at once."""


@dataclass(frozen=True)
class AskSettings:
    """How every question is asked; part of each cell's id."""

    temperature: float = 0.0
    seed: int = 0
    max_tokens: int | None = None
    """None = what each item says."""
    is_choice_by_logprob: bool = False
    """Choices are scored by the labels' probabilities instead of by the reply's text."""


@dataclass(frozen=True)
class Asker:
    """Asks one cell. `score` judges a reply; `sleep` waits between attempts."""

    client: Models
    score: Callable[[DatasetItem, str], Score]
    settings: AskSettings
    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], None] = time.sleep

    def cell_id(self, item: DatasetItem, contestant: Contestant) -> str:
        """Return the same id for the same question, model and settings, in every run."""
        unused = {name for name in _SENT_IF_USED if not getattr(item, name)}
        parts = (
            item.model_dump_json(exclude=_NOT_SENT | unused),
            contestant.model_id,
            contestant.digest or "",
            dump_settings(vars(self.settings)),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]

    def ask(self, item: DatasetItem, contestant: Contestant) -> Answer:
        """Return the answer; a call that failed for good becomes an answer with its error."""
        known = {
            "cell_id": self.cell_id(item, contestant),
            "item_id": item.id,
            "dataset": item.dataset,
            "model_id": contestant.model_id,
        }
        for attempt in range(1, MAX_ATTEMPTS + 1):
            started_s = self.clock()
            try:
                told = self._call(item, contestant.model_id)
            except NeuroForgeError as error:
                if error.retryable and attempt < MAX_ATTEMPTS:
                    self.sleep(_wait_s(error, attempt))
                    continue
                failure = {"error_code": error.code, "error": error.message, "is_retryable": _may_pass(error)}
                return Answer.model_validate({**known, **failure, "at_s": self.now()})
            latency_s = self.clock() - started_s
            score = told.pop("score", None) or self.score(item, told["reply"])
            return Answer.model_validate(
                {**known, **told, "score": score, "latency_s": latency_s, "at_s": self.now()},
            )
        raise AssertionError("the last attempt returns")

    def _call(self, item: DatasetItem, model_id: str) -> dict[str, Any]:
        if self.settings.is_choice_by_logprob and item.scorer == "choice":
            found = self.client.label_logprobs(conversation_of(item), item.labels, model_id)
            score = score_label_logprobs(found, item.references)
            n_prompt = found.n_prompt_tokens
            return {"reply": score.answer or "", "score": score, "n_prompt_tokens": n_prompt, "n_completion_tokens": 1}
        tools = {"tools": list(item.tools)} if item.tools else {}
        body = self.client.chat(
            conversation_of(item) if item.messages else item.query,
            model=model_id,
            **tools,
            temperature=self.settings.temperature,
            seed=self.settings.seed,
            max_tokens=self.settings.max_tokens or item.max_tokens,
            neuroforge=AS_NAMED,
        )
        return _read(body)


def conversation_of(item: DatasetItem) -> list[JsonObject]:
    """Return the messages that are sent."""
    return [*item.messages, {"role": "user", "content": item.query}]


def _read(body: JsonObject) -> dict[str, Any]:
    """A reply that only calls tools is kept as those calls' JSON, which scorer `function_call` reads too."""
    try:
        choice = body["choices"][0]
        usage = body.get("usage") or {}
        message = choice["message"]
        calls = message.get("tool_calls")
        return {
            "reply": message.get("content") or (json.dumps(calls, ensure_ascii=False) if calls else ""),
            "finish_reason": choice.get("finish_reason"),
            "n_prompt_tokens": int(usage.get("prompt_tokens", 0)),
            "n_completion_tokens": int(usage.get("completion_tokens", 0)),
            "decision_id": (body.get("neuroforge") or {}).get("decision_id"),
        }
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise EngineError("the answer is not a chat completion") from error


def _wait_s(error: NeuroForgeError, attempt: int) -> float:
    asked_s = error.context.get("retry_after_s")
    wait_s = float(asked_s) if isinstance(asked_s, int | float) else _FIRST_WAIT_S * 2 ** (attempt - 1)
    return min(wait_s, _LONGEST_WAIT_S)


def _may_pass(error: NeuroForgeError) -> bool:
    """What the request itself is to blame for (too long, a refused field) will be the same next time."""
    return error.retryable or error.http_status >= 500
