"""Stand-ins for the gateway's client and the catalog's files."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.models import EngineKind, EngineStats, ModelState, ModelStatus, Price
from neuroforge.contracts.scores import Score


def item(number: int = 1, **changes: Any) -> DatasetItem:
    """A question whose answer is `yes`."""
    values: dict[str, Any] = {
        "id": f"q{number}",
        "dataset": "quiz",
        "query": f"Question {number}?",
        "scorer": "normalized",
        "references": ("yes",),
        "task": "knowledge",
        "max_tokens": 8,
    }
    return DatasetItem(**{**values, **changes})


def answer(cell: str = "c1", **changes: Any) -> Answer:
    """The right reply of model `small` to `item(1)`."""
    values: dict[str, Any] = {
        "cell_id": cell,
        "item_id": "q1",
        "dataset": "quiz",
        "model_id": "small",
        "reply": "yes",
        "n_prompt_tokens": 10,
        "n_completion_tokens": 2,
        "latency_s": 0.5,
        "score": Score(value=1.0, answer="yes"),
        "at_s": 5.0,
    }
    return Answer(**{**values, **changes})


def failure(cell: str = "c1", **changes: Any) -> Answer:
    """A call that failed."""
    gone: dict[str, Any] = {
        "reply": None,
        "score": None,
        "latency_s": None,
        "error_code": "engine_error",
        "error": "down",
    }
    return answer(cell, **{**gone, "is_retryable": True, **changes})


def status(model_id: str = "small", **changes: Any) -> ModelStatus:
    """A loaded model with two slots."""
    values: dict[str, Any] = {
        "id": model_id,
        "engine": EngineKind.LLAMACPP,
        "state": ModelState.READY,
        "capabilities": ("chat",),
        "stats": EngineStats(slots_total=2, slots_busy=0, queued=0),
        "price": Price(input_usd_per_million=1.0, output_usd_per_million=2.0),
    }
    return ModelStatus(**{**values, **changes})


class FakeFleet:
    """Replies with what `reply(model, query)` returns or raises; counts calls and how many ran at once."""

    def __init__(self, reply: Callable[[str, str], str], models: Sequence[ModelStatus] = ()) -> None:
        self._reply = reply
        self._models = tuple(models)
        self._guard = threading.Lock()
        self.calls: list[tuple[str, str]] = []
        self.options: list[dict[str, Any]] = []
        self.n_running = 0
        self.most_running: dict[str, int] = {}

    def models(self) -> tuple[ModelStatus, ...]:
        return self._models

    def chat(self, messages: str, model: str, **options: Any) -> JsonObject:
        with self._guard:
            self.calls.append((model, messages))
            self.options.append(options)
            self.n_running += 1
            self.most_running[model] = max(self.most_running.get(model, 0), self.n_running)
        try:
            text = self._reply(model, messages)
        finally:
            with self._guard:
                self.n_running -= 1
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 10, "completion_tokens": 2}
        return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}

    def label_logprobs(self, prompt: list[JsonObject], labels: Sequence[str], model: str) -> LabelLogprobs:
        self.calls.append((model, prompt[0]["content"]))
        scores = tuple(LabelScore(label=one, logprob=-1.0 - index, n_tokens=1) for index, one in enumerate(labels))
        return LabelLogprobs(scores=scores, n_prompt_tokens=10)


class FakeAssets:
    """Datasets that lie in a directory, one file a name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def ensure(self, name: str) -> Path:
        return next(self._directory.glob(f"{name}.*"))
