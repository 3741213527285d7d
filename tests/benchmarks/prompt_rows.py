"""One run of one method on one task, as it is kept, and reading them back."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BY_REPLIES = ("seed prompt",)
"""Methods of ours whose programs are tested a second time, by what the model writes: as peers are. The optimiser's are
served with labels where a task has some, so that is how they are tested."""


def replied(method: str) -> str:
    """Return the name under which the second test of a method's program is kept."""
    return f"{method}, by replies"


@dataclass(frozen=True)
class Row:
    """What a method found and what its prompt scored on the test."""

    task: str
    method: str
    seed: int
    scores: str
    """A digit an item of the test, in its order: 1 = right."""
    n_calls: int
    n_prompt_tokens: int
    n_proposer_calls: int
    n_proposer_tokens: int
    n_test_tokens: int
    """Prompt tokens of the whole test: what the found prompt costs to serve."""
    seconds: float
    """Of the search, on whatever else the machine was doing; of peers with the test and their process's start."""
    program: dict[str, Any]

    @property
    def score(self) -> float:
        """Share of the test's items that were right."""
        return self.scores.count("1") / len(self.scores)


def read_rows(directory: Path) -> list[Row]:
    """Return all rows, by task in the order of the files, then as they were made."""
    return [
        Row(**json.loads(line))
        for path in sorted(directory.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def append_row(directory: Path, row: Row) -> None:
    """Add a row to its task's file, in one piece: another process may add its own."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{row.task}.jsonl").open("ab", buffering=0) as file:
        file.write(json.dumps(asdict(row)).encode() + b"\n")
