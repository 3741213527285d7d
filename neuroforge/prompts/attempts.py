"""Tests of prompts, remembered in the home: how many asked what the next one asks, and what it must pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout
from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.errors import ConflictError
from neuroforge.prompts.program import program_id
from neuroforge.prompts.provenance import fingerprint
from neuroforge.statistics.multiple import spend_alpha
from neuroforge.storage.append_log import lock_of
from neuroforge.storage.files import write_whole
from neuroforge.storage.log_lines import LineKind

ATTEMPT, ATTEMPTS = "attempt.json", "attempts.jsonl"
"""A run's own test; all of them."""
LOCK_TIMEOUT_S = 30.0


class Question(Contract):
    """What a test asks: is another prompt better than this one, for this model, on these items?"""

    name: str | None
    """That the winner would be served by; None = by none."""
    model_id: str
    seed_id: str
    """`program_id` of the prompt that would be replaced."""
    items: tuple[str, ...]
    """Fingerprints of the test items, sorted."""

    def is_near(self, other: "Question") -> bool:
        """Whether both belong to one family: the same prompt, by name or by text and model, and items in common."""
        is_same_prompt = (self.seed_id, self.model_id) == (other.seed_id, other.model_id)
        is_same_name = self.name is not None and self.name == other.name
        return (is_same_name or is_same_prompt) and not set(self.items).isdisjoint(other.items)


class Attempt(Contract):
    """A test that was made, or was about to be."""

    question: Question
    winner_id: str
    number: int = Field(ge=1)
    """In its family."""


_LINES = LineKind(Attempt, "test of a prompt", "put it back as it was, or move the file away to forget all tests")


class Level(NamedTuple):
    """What a test must pass."""

    number: int
    """In its family, this one included."""
    alpha: float
    """Its share of the family's."""


def attempts_of(home: Path) -> Path:
    """Return the file of a home: it lies beside the runs, and outlives them."""
    return home / "prompts" / ATTEMPTS


def question_of(config: OptimizeConfig, model_id: str, seed: PromptProgram, test: Sequence[DatasetItem]) -> Question:
    """Return what a test of a winner against the seed on these items asks."""
    items = tuple(sorted({fingerprint(item) for item in test}))
    name = config.name if config.promote else None
    return Question(name=name, model_id=model_id, seed_id=program_id(seed), items=items)


@dataclass(frozen=True)
class Attempts:
    """Counts tests, so that however often somebody tries, alpha bounds the chance of one false promotion."""

    path: Path
    """Of the file that is shared by all runs."""
    directory: Path
    """Of the run that tests; need not exist to foresee."""

    def foresee(self, question: Question, alpha: float) -> Level:
        """Return what a test must pass that is made now; of one that this run has made, what that had to.

        Raises:
            DataError: A line of the file is none of ours.
        """
        own = self._own()
        if own is not None and own.question == question:
            return _level(own.number, alpha)
        return _level(self._next(question, self._known()), alpha)

    def take(self, question: Question, winner_id: str, alpha: float) -> Level:
        """Count a test that is about to be made, and return what it must pass. Blocks while others write.

        The same test in the same directory, after a kill, is the same one. What is counted and then not made stays
        counted.

        Raises:
            DataError: As `foresee`. ConflictError: Another process holds the file. DiskFull, StorageError.
        """
        with self._locked():
            own = self._own()
            if own is not None and (own.question, own.winner_id) == (question, winner_id):
                return _level(own.number, alpha)
            known = self._known()
            made = Attempt(question=question, winner_id=winner_id, number=self._next(question, known))
            write_whole(self.path, "".join(f"{one.model_dump_json()}\n" for one in (*known, made)).encode())
            write_whole(self.directory / ATTEMPT, made.model_dump_json().encode())
        return _level(made.number, alpha)

    def _known(self) -> tuple[Attempt, ...]:
        return tuple(_LINES.read(self.path))

    def _own(self) -> Attempt | None:
        path = self.directory / ATTEMPT
        return _LINES.parse(path, 1, path.read_bytes()) if path.exists() else None

    def _next(self, question: Question, known: Sequence[Attempt]) -> int:
        return 1 + sum(one.question.is_near(question) for one in known)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with lock_of(self.path).acquire(timeout=LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise ConflictError(f"{self.path}: another process holds it; try again, nothing is lost") from error


def _level(number: int, alpha: float) -> Level:
    return Level(number, spend_alpha(alpha, number))
