"""Conversation -> capped text -> embedding, surface marks and token ids: what every predictor of the router reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.embedder import MIN_NORM, StaticEmbedder, TokenIds, Vectors
from neuroforge.router.surface import N_SURFACE, measure_surface

HEAD_CHARS, TAIL_CHARS = 4_000, 2_000
"""Of a longer text only its beginning and its end are read: 1 MB then costs what 6 kB cost, about 4 ms."""
EARLIER_CHARS = 500
"""Read of each end of an earlier turn."""
N_EARLIER_TURNS = 4
EARLIER_WEIGHT = 0.3
"""Of the turn before the last in the embedding; each one further back counts half of it."""


@dataclass(frozen=True)
class FeatureMatrix:
    """n texts, one row each."""

    embedding: Vectors
    """(n, dimension), float32."""
    surface: NDArray[np.float32]
    """(n, N_SURFACE); the columns are `surface.SURFACE_NAMES`."""
    tokens: TokenIds
    """All rows' token ids one after another: row i is tokens[offsets[i]:offsets[i + 1]]."""
    offsets: NDArray[np.int64]
    """(n + 1,)."""

    def __len__(self) -> int:
        return int(self.embedding.shape[0])

    def token_rows(self) -> Iterator[TokenIds]:
        """Yield each row's token ids in reading order."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.tokens[start:stop]

    def take(self, rows: NDArray[np.intp]) -> "FeatureMatrix":
        """Return these rows, in the order given."""
        return join_features(
            self.embedding[rows],
            self.surface[rows],
            [self.tokens[self.offsets[row] : self.offsets[row + 1]] for row in rows],
        )


Features = FeatureMatrix
"""One conversation: a matrix of one row."""


def join_features(embedding: Vectors, surface: NDArray[np.float32], token_rows: Sequence[TokenIds]) -> FeatureMatrix:
    """Return the matrix of these parts, which have one row a text."""
    lengths = np.array([0, *(len(row) for row in token_rows)], dtype=np.int64)
    tokens = np.concatenate(token_rows) if token_rows else np.zeros(0, dtype=np.int32)
    return FeatureMatrix(embedding, surface, tokens.astype(np.int32, copy=False), np.cumsum(lengths))


def extract_texts(texts: Sequence[str], embedder: StaticEmbedder) -> FeatureMatrix:
    """Return one row a text; what a conversation of this single turn gets, and what routers are trained on."""
    capped = [cap_text(text, HEAD_CHARS, TAIL_CHARS) for text in texts]
    token_rows = embedder.tokenize(capped)
    surface = np.zeros((len(texts), N_SURFACE), dtype=np.float32)
    for index, text in enumerate(capped):
        surface[index] = measure_surface(text, len(texts[index]))
    return join_features(embedder.embed_tokens(token_rows), surface, token_rows)


def extract_conversation(turns: Sequence[str], embedder: StaticEmbedder) -> Features:
    """Return the row of a conversation, oldest turn first; the last turn is what will be answered.

    Surface marks and token ids are the last turn's; earlier turns only bend the embedding, by EARLIER_WEIGHT and less
    the older they are. No turn, or an empty one, is an empty text.
    """
    last = extract_texts([turns[-1] if turns else ""], embedder)
    earlier = list(turns[-1 - N_EARLIER_TURNS : -1])[::-1]
    if not earlier:
        return last
    vectors = embedder.embed([cap_text(text, EARLIER_CHARS, EARLIER_CHARS) for text in earlier])
    weights = EARLIER_WEIGHT * 0.5 ** np.arange(len(earlier), dtype=np.float32)
    mixed = last.embedding + (weights[:, None] * vectors).sum(axis=0)
    scale = float(np.linalg.norm(mixed)) if embedder.is_normalised else 1 + float(weights.sum())
    mixed = mixed / max(scale, MIN_NORM)
    return FeatureMatrix(mixed.astype(np.float32), last.surface, last.tokens, last.offsets)


def cap_text(text: str, n_head: int, n_tail: int) -> str:
    """Return the text, or its first `n_head` and last `n_tail` characters, on separate lines, when it is longer.

    Half characters (lone surrogates, which JSON can carry) become question marks: no tokenizer takes them.
    """
    if len(text) > n_head + n_tail:
        text = f"{text[:n_head]}\n{text[-n_tail:]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
