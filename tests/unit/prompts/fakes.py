"""A model behind the client: answers by a function, and remembers what it was asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import ItemAsker, Target
from neuroforge.scoring.exact import score_exact


@dataclass
class FakeModels:
    answer: Callable[[str], str] = lambda _prompt: "yes"
    logprobs: Callable[[str, str], float] = lambda _prompt, _label: -1.0
    errors: list[Exception] = field(default_factory=list)
    """Raised first, one a call."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    written: list[tuple[str, int]] = field(default_factory=list)
    n_at_once: int = 0
    n_peak: int = 0

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        self.asked.append({"messages": messages, "model": model, **options})
        await self._pass()
        prompt = "\n".join(one["content"] for one in messages)
        message = {"role": "assistant", "content": self.answer(prompt)}
        return {
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2},
        }

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        self.asked.append({"prompt": prompt, "model": model, **options})
        await self._pass()
        return {
            "choices": [{"text": self.answer(prompt), "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 8, "completion_tokens": 2},
        }

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        self.asked.append({"messages": prompt, "model": model, "labels": list(labels)})
        await self._pass()
        text = prompt if isinstance(prompt, str) else "\n".join(one["content"] for one in prompt)
        scores = tuple(LabelScore(label=one, logprob=self.logprobs(text, one), n_tokens=1) for one in labels)
        return LabelLogprobs(scores=scores, n_prompt_tokens=10)

    def note_written(self, model_id: str, task: str, place: int) -> None:
        self.written.append((model_id, place))

    async def _pass(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.n_at_once += 1
        self.n_peak = max(self.n_peak, self.n_at_once)
        await asyncio.sleep(0)
        self.n_at_once -= 1


async def score(item: DatasetItem, reply: str) -> Score:
    return score_exact(reply, item.references)


def asker(models: FakeModels, labels: tuple[str, ...] = ()) -> ItemAsker:
    async def no_wait(_seconds: float) -> None:
        return None

    return ItemAsker(models, Target("m", "sha", labels), score, no_wait, clock=lambda: 5.0)
