"""How near a reply's meaning is to a reference's."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.scores import Score
from neuroforge.scoring.normalized import normalize

MAX_CHARS = 20_000


class Embed(Protocol):
    """Texts -> vectors; given by whoever has an embedder."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """(n_texts, dimension); a row of zeros = the text has no word that is known."""
        ...


def score_embedding(reply: str, references: Sequence[str], embed: Embed | None) -> Score:
    """Cosine between the reply's and a reference's vector, the best of all references; below 0 counts as 0.

    It measures likeness, not truth: a sentence and its negation are near each other.
    """
    answer = normalize(reply)
    if not references:
        return Score(reason="no reference", answer=answer)
    if embed is None:
        return Score(reason="no embedder is at hand: `neuroforge models pull potion-base-8m`", answer=answer)
    vectors = embed([reply[:MAX_CHARS], *(one[:MAX_CHARS] for one in references)]).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths[1:].any():
        return Score(reason="the embedder knows no word of the reference", answer=answer)
    if not lengths[0]:
        return Score(value=0.0, reason="the embedder knows no word of the reply", answer=answer)
    usable = lengths[1:] > 0
    cosines = vectors[1:][usable] @ vectors[0] / (lengths[1:][usable] * lengths[0])
    return Score(value=float(np.clip(cosines.max(), 0.0, 1.0)), answer=answer)
