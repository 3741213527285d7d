"""Small outcome tables whose right answers are known."""

from pathlib import Path

import numpy as np

from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit.data import OutcomeTable, build_table
from neuroforge.router.fit.parse import Row
from tests.unit.router.tiny import word_embedder

CODE_WORDS = ("def", "return", "loop", "array", "bug")
FACT_WORDS = ("capital", "river", "king", "year", "city")
FILLER = ("the", "of", "a", "and", "which", "is", "to", "in")


def make_embedder(directory: Path) -> StaticEmbedder:
    """Return an embedder that knows all words of the worlds."""
    return word_embedder(directory, [*CODE_WORDS, *FACT_WORDS, *FILLER])


def make_rows(n: int, seed: int = 0, *, is_named: bool = True) -> list[Row]:
    """Return n questions: `coder` gets 0.9 of the code ones right and 0.2 of the facts, `sage` the other way round."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        is_code = bool(rng.random() < 0.5)
        words = [*rng.choice(CODE_WORDS if is_code else FACT_WORDS, 3), *rng.choice(FILLER, 4)]
        chances = {"coder": 0.9, "sage": 0.2} if is_code else {"coder": 0.2, "sage": 0.9}
        scores = {model: float(rng.random() < chance) for model, chance in chances.items()}
        task = ("code" if is_code else "facts") if is_named else None
        rows.append(Row(" ".join(rng.permutation(words)), scores, {"coder": 0.01, "sage": 0.02}, task))
    return rows


def make_table(n: int, seed: int = 0, *, is_named: bool = True) -> OutcomeTable:
    """Return the table of `make_rows`."""
    return build_table(make_rows(n, seed, is_named=is_named))
