"""Calls, tokens and money: what calls took, and what they may take at most."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.models import Price
from neuroforge.contracts.prompts import Evaluation, PromptProgram
from neuroforge.datasets.template import fill_in, variables_of
from neuroforge.prompts.ask import parameters_of
from neuroforge.prompts.render import messages_of

MESSAGE_BYTES = 16
"""That a chat template puts around each message, at most."""
FIRST_DENSITY = 0.5
"""Tokens a byte before any prompt was counted: twice that of English."""
MARGIN = 1.1
"""On the densest prompts seen: others may be denser."""


class Spent(NamedTuple):
    """An amount of everything that a budget limits but time."""

    n_calls: int = 0
    n_tokens: int = 0
    """Of prompts and answers."""
    cost_usd: float = 0.0

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.n_calls + other.n_calls, self.n_tokens + other.n_tokens, self.cost_usd + other.cost_usd)


def total(amounts: Iterable[Spent]) -> Spent:
    """Return all of them together."""
    found = Spent()
    for one in amounts:
        found = found.plus(one)
    return found


def spent_on(evaluation: Evaluation) -> Spent:
    """Return what an evaluation took."""
    n_tokens = evaluation.n_prompt_tokens + evaluation.n_completion_tokens
    return Spent(evaluation.n_calls, n_tokens, evaluation.cost_usd)


@dataclass
class Estimator:
    """What asking items takes at most. A prompt's tokens follow from its bytes, an answer's from its limit."""

    items: Mapping[str, DatasetItem]
    labels: tuple[str, ...]
    """Not empty: answers are read from log-probabilities, and nothing is generated."""
    price: Price
    _questions: dict[tuple[str, str], int] = field(default_factory=dict)
    _frames: dict[str, int] = field(default_factory=dict)
    _densities: dict[tuple[str, int], float] = field(default_factory=dict)
    """By candidate and block."""

    def estimate(self, program: PromptProgram, item_ids: Iterable[str], density: float) -> Spent:
        """Return the most that these calls can take, if prompts are no denser than `density` (tokens a byte)."""
        ids = tuple(item_ids)
        n_calls = len(ids) * program.n_samples
        n_prompt = math.ceil(self.count_bytes(program, ids) * program.n_samples * density)
        n_answer = 0
        if self.labels:
            n_calls += program.calibrate
            n_prompt += math.ceil(program.calibrate * self._frame(program) * density)
        else:
            n_answer = program.n_samples * sum(parameters_of(program, self.items[one])["max_tokens"] for one in ids)
        return Spent(n_calls, n_prompt + n_answer, self.price.cost_usd(n_prompt, n_answer))

    def density(self, told: Iterable[tuple[PromptProgram, Evaluation]]) -> float:
        """Return the tokens a byte of the densest block of prompts so far, and a margin."""
        for program, one in told:
            key = (one.candidate_id, one.block)
            if key not in self._densities and one.n_prompt_tokens:
                n_bytes = self.count_bytes(program, one.item_ids) * program.n_samples
                self._densities[key] = one.n_prompt_tokens / n_bytes
        return MARGIN * max(self._densities.values()) if self._densities else FIRST_DENSITY

    def count_bytes(self, program: PromptProgram, item_ids: Iterable[str]) -> int:
        """Return the length of the prompts together, in UTF-8."""
        frame = self._frame(program)
        return sum(frame + self._question(program.input_template, one) for one in item_ids)

    def _frame(self, program: PromptProgram) -> int:
        key = program.model_dump_json()
        if key not in self._frames:
            messages = messages_of(program, "")
            self._frames[key] = sum(MESSAGE_BYTES + len(one.content.encode()) for one in messages)
        return self._frames[key]

    def _question(self, template: str, item_id: str) -> int:
        if (template, item_id) not in self._questions:
            item = self.items[item_id]
            n_own = len(fill_in(template, variables_of(item), f"input_template, item {item_id!r}").encode())
            n_before = sum(MESSAGE_BYTES + len(str(one.get("content", "")).encode()) for one in item.messages)
            self._questions[template, item_id] = n_own + n_before
        return self._questions[template, item_id]
