"""Answers as they come -> how far a run is, how fast, how long still, and the means so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from neuroforge.contracts.datasets import Answer
from neuroforge.datasets.ask import Contestant

GIVE_UP_AFTER = 6
"""Failures in a row after which a model counts as down for this run."""


@dataclass
class ModelProgress:
    """One model's part."""

    n_slots: int
    n_left: int
    """Cells without an answer."""
    n_answers: int = 0
    latency_s: float = 0.0
    """Of all answers together."""
    n_scored: int = 0
    total_score: float = 0.0
    n_failed_in_a_row: int = 0
    last_error: str | None = None

    @property
    def mean_score(self) -> float | None:
        """None before the first scored answer."""
        return self.total_score / self.n_scored if self.n_scored else None

    @property
    def is_down(self) -> bool:
        """Whether it has failed too often to be asked again in this run."""
        return self.n_failed_in_a_row >= GIVE_UP_AFTER


@dataclass
class Progress:
    """How far a run is; changed in place as it goes."""

    by_model: dict[str, ModelProgress]
    n_cells: int
    n_done: int = 0
    """Cells with an answer, from earlier runs too."""
    n_asked: int = 0
    """In this run, failures included."""
    n_failed: int = 0
    """Cells whose last call failed: in this run, or earlier for a reason that will not pass."""
    elapsed_s: float = field(default=0.0)

    @staticmethod
    def of(contestants: Sequence[Contestant], n_items: int) -> "Progress":
        """Return the beginning."""
        return Progress(
            {one.model_id: ModelProgress(one.n_slots, n_items) for one in contestants}, n_items * len(contestants)
        )

    @property
    def n_left(self) -> int:
        """Cells without an answer: failed, or not asked yet."""
        return self.n_cells - self.n_done

    @property
    def cells_per_s(self) -> float | None:
        """Of this run; None before the first."""
        return self.n_asked / self.elapsed_s if self.n_asked and self.elapsed_s > 0 else None

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end: each model's cells at its own speed, since models run one after another.

        None while a model that has work left has not answered anything yet.
        """
        total_s = 0.0
        for model in self.by_model.values():
            if model.n_left and not model.is_down:
                if not model.n_answers:
                    return None
                total_s += model.n_left * model.latency_s / model.n_answers / model.n_slots
        return total_s

    @property
    def down(self) -> dict[str, str]:
        """Models that were given up in this run, with their last error."""
        return {name: model.last_error or "" for name, model in self.by_model.items() if model.is_down}

    def count_earlier(self, answers: Iterable[Answer]) -> None:
        """Take over what earlier runs found."""
        for answer in answers:
            self._count(answer)

    def count_new(self, answer: Answer, elapsed_s: float) -> None:
        """Take over one answer or failure of this run."""
        self.n_asked += 1
        self.elapsed_s = elapsed_s
        self._count(answer)
        model = self.by_model[answer.model_id]
        has_failed = answer.error_code is not None and answer.is_retryable
        model.n_failed_in_a_row = model.n_failed_in_a_row + 1 if has_failed else 0
        model.last_error = answer.error

    def _count(self, answer: Answer) -> None:
        if answer.error_code is not None:
            self.n_failed += 1
            return
        self.n_done += 1
        model = self.by_model[answer.model_id]
        model.n_left -= 1
        model.n_answers += 1
        model.latency_s += answer.latency_s or 0.0
        if answer.score is not None and answer.score.value is not None:
            model.n_scored += 1
            model.total_score += answer.score.value
