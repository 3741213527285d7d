from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroforge.scoring.embedding import score_embedding

VECTORS = {"east": (1.0, 0.0), "northeast": (1.0, 1.0), "west": (-2.0, 0.0), "xyzzy": (0.0, 0.0)}


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([VECTORS[one] for one in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("reply", "references", "value"),
    [
        ("east", ["east"], 1.0),
        ("east", ["northeast"], 0.5**0.5),
        ("east", ["west"], 0.0),
        ("east", ["west", "xyzzy", "east"], 1.0),
        ("xyzzy", ["east"], 0.0),
    ],
)
def test_the_cosine_to_the_nearest_reference_is_the_score(reply: str, references: list[str], value: float) -> None:
    assert score_embedding(reply, references, embed).value == pytest.approx(value)


def test_what_cannot_be_compared_is_not_scored() -> None:
    assert score_embedding("east", [], embed).value is None
    assert score_embedding("east", ["xyzzy"], embed).value is None
    assert score_embedding("east", ["east"], None).value is None
