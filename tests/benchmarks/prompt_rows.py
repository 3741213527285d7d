"""One run of one method on one task, as it is kept, and reading them back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """Of the search, on whatever else the machine was doing."""
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
