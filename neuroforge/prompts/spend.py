"""Calls, tokens and money: what calls took, and what they may take at most."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.models import Price
from neuroforge.contracts.prompts import Evaluation, PromptProgram
from neuroforge.datasets.template import fill_in, variables_of
from neuroforge.prompts.ask import parameters_of
from neuroforge.prompts.render import messages_of
from neuroforge.prompts.show import left_out, show_for

MESSAGE_BYTES = 16
"""That a chat template puts around each message, at most."""
MARGIN = 1.1
"""On the most that was seen: others may take more."""


class Spent(NamedTuple):
    """An amount of everything that a budget limits but time."""

    n_calls: int = 0
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def n_tokens(self) -> int:
        """Of prompts and answers."""
        return self.n_prompt_tokens + self.n_completion_tokens

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(
            self.n_calls + other.n_calls,
            self.n_prompt_tokens + other.n_prompt_tokens,
            self.n_completion_tokens + other.n_completion_tokens,
            self.cost_usd + other.cost_usd,
        )


class Rates(NamedTuple):
    """How texts and limits become tokens."""

    per_byte: float
    """Tokens of a prompt for each byte of its text."""
    fill: float
    """Share of its limit that an answer takes."""


FIRST_RATES = Rates(per_byte=0.5, fill=0.25)
"""Before anything was counted."""
_ENGLISH_PER_BYTE = 0.25
"""Least that is reckoned with: of a short prompt the bytes around its messages are most, and few tokens."""


class Costs(Protocol):
    """Whatever took calls: an evaluation, a result, a call beside them."""

    @property
    def n_calls(self) -> int:
        """As in Spent."""
        ...

    @property
    def n_prompt_tokens(self) -> int:
        """As in Spent."""
        ...

    @property
    def n_completion_tokens(self) -> int:
        """As in Spent."""
        ...

    @property
    def cost_usd(self) -> float:
        """As in Spent."""
        ...


def spent_on(ones: Iterable[Costs]) -> Spent:
    """Return what all of them took."""
    return total(Spent(one.n_calls, one.n_prompt_tokens, one.n_completion_tokens, one.cost_usd) for one in ones)


def total(amounts: Iterable[Spent]) -> Spent:
    """Return all of them together."""
    found = Spent()
    for one in amounts:
        found = found.plus(one)
    return found


@dataclass
class Estimator:
    """What asking items takes. A prompt's tokens follow from its bytes, an answer's from its limit."""

    items: Mapping[str, DatasetItem]
    labels: tuple[str, ...]
    """Not empty: answers are read from log-probabilities, and nothing is generated."""
    price: Price
    _questions: dict[tuple[str, str], int] = field(default_factory=dict)
    _frames: dict[str, int] = field(default_factory=dict)
    _rates: dict[tuple[str, int], Rates] = field(default_factory=dict)
    """By candidate and block."""

    def estimate(self, program: PromptProgram, item_ids: Sequence[str], rates: Rates) -> Spent:
        """Return what these calls take; the most that they can take if `rates.fill` is 1 and prompts are no denser."""
        n_bytes = self.count_bytes(program, item_ids) * program.n_samples + self._bare_bytes(program, item_ids)
        n_prompt = math.ceil(n_bytes * rates.per_byte)
        n_answer = math.ceil(self._limit(program, item_ids) * rates.fill)
        cost_usd = self.price.cost_usd(n_prompt, n_answer)
        return Spent(self.count_calls(program, item_ids), n_prompt, n_answer, cost_usd)

    def count_calls(self, program: PromptProgram, item_ids: Sequence[str]) -> int:
        """Return the calls that asking these items is."""
        return len(item_ids) * program.n_samples + self._count_bare(program, item_ids)

    def rates(self, told: Iterable[tuple[PromptProgram, Evaluation]]) -> Rates:
        """Return the highest of any block so far, with a margin."""
        for program, one in told:
            key = (one.candidate_id, one.block)
            if key not in self._rates and one.n_prompt_tokens:
                n_bytes = self.count_bytes(program, one.item_ids) * program.n_samples
                limit = self._limit(program, one.item_ids)
                fill = one.n_completion_tokens / limit if limit else 0.0
                self._rates[key] = Rates(one.n_prompt_tokens / n_bytes, fill)
        if not self._rates:
            return FIRST_RATES
        found = self._rates.values()
        per_byte = max(_ENGLISH_PER_BYTE, *(one.per_byte for one in found))
        return Rates(MARGIN * per_byte, min(1.0, MARGIN * max(one.fill for one in found)))

    def count_bytes(self, program: PromptProgram, item_ids: Sequence[str]) -> int:
        """Return the length of the prompts together, in UTF-8."""
        frames = self._frames_of(program, item_ids)
        return sum(frames) + sum(self._question(program.input_template, one) for one in item_ids)

    def _frames_of(self, program: PromptProgram, item_ids: Sequence[str]) -> list[int]:
        """Bytes around each item's question."""
        if program.n_nearest is None:
            return [self._frame(program)] * len(item_ids)
        return [self._frame(show_for(program, self.items[one])) for one in item_ids]

    def _bare_bytes(self, program: PromptProgram, item_ids: Sequence[str]) -> int:
        n_bare = self._count_bare(program, item_ids)
        return sum(sorted(self._frames_of(program, item_ids))[-n_bare:]) if n_bare else 0

    def _count_bare(self, program: PromptProgram, item_ids: Sequence[str]) -> int:
        """Calls without a question, which calibrate labels: one for each prompt that differs in more than that."""
        if not (self.labels and program.calibrate):
            return 0
        if program.n_nearest is not None:
            return len(item_ids)
        items = [self.items[one] for one in item_ids]
        return len({(item.labels or self.labels, left_out(program, item)) for item in items})

    def _limit(self, program: PromptProgram, item_ids: Sequence[str]) -> int:
        """Tokens that the answers may have together; none are generated where labels are read."""
        if self.labels:
            return 0
        return program.n_samples * sum(int(parameters_of(program, self.items[one])["max_tokens"]) for one in item_ids)

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
