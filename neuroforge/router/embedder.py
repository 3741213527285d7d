"""Text -> token ids -> one static vector: a model2vec embedder read as data (safetensors, a tokenizer file, JSON)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load
from tokenizers import Tokenizer

from neuroforge.errors import DataError

TokenIds = NDArray[np.int32]
Vectors = NDArray[np.float32]

WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
MIN_NORM = 1e-12
"""Below this a mean has no direction (nothing but unknown words): the vector stays zero."""


@dataclass(frozen=True)
class StaticEmbedder:
    """A table with one row a token; an embedding is the mean of a text's rows, of unit length if the model says so."""

    sha256: str
    """Of the weights' file: what a fitted router was trained with, and the only embedder that it accepts."""
    vectors: Vectors
    """(n_tokens, dimension)."""
    tokenizer: Tokenizer
    unknown_id: int
    """Dropped from every text; -1 where the tokenizer has none."""
    is_normalised: bool

    @property
    def dimension(self) -> int:
        """Return the length of an embedding."""
        return int(self.vectors.shape[1])

    @property
    def n_tokens(self) -> int:
        """Return the size of the vocabulary; every id is below it."""
        return int(self.vectors.shape[0])

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return each text's ids in reading order, without special tokens and unknown words."""
        encodings = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        rows = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
        return [ids[ids != self.unknown_id] for ids in rows]

    def embed_tokens(self, rows: Sequence[TokenIds]) -> Vectors:
        """Return (n, dimension); a row without tokens is zero."""
        out = np.zeros((len(rows), self.dimension), dtype=np.float32)
        for index, ids in enumerate(rows):
            if len(ids):
                out[index] = self.vectors[ids].mean(axis=0)
        if not self.is_normalised:
            return out
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.maximum(norms, MIN_NORM), dtype=np.float32)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (n, dimension) for whole texts; the caller caps their length."""
        return self.embed_tokens(self.tokenize(texts))


def load_embedder(directory: Path) -> StaticEmbedder:
    """Return the embedder whose files lie in `directory`: the asset `potion-base-8m`, or another of model2vec's format.

    Raises:
        DataError: A file is missing or is not what it should be; names the file.
    Source: model2vec's documentation: tokens without specials, unknown ones dropped, mean, unit length by `normalize`.
    """
    weights = _read(directory / WEIGHTS)
    try:
        vectors = load(weights)["embeddings"].astype(np.float32, copy=False)
        config = json.loads(_read(directory / CONFIG))
        tokenizer = Tokenizer.from_str(_read(directory / TOKENIZER).decode())
    except (SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{directory}: not the files of a model2vec embedder: {error}") from error
    except Exception as error:  # the tokenizer library raises nothing narrower for a broken file
        raise DataError(f"{directory / TOKENIZER}: not a tokenizer file: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if vectors.ndim != 2 or vectors.shape[0] != tokenizer.get_vocab_size():
        raise DataError(
            f"{directory}: {vectors.shape} vectors do not fit a vocabulary of {tokenizer.get_vocab_size()} tokens"
        )
    unknown = json.loads(tokenizer.to_str())["model"].get("unk_token")
    unknown_id = tokenizer.token_to_id(unknown) if unknown else None
    return StaticEmbedder(
        sha256=hashlib.sha256(weights).hexdigest(),
        vectors=vectors,
        tokenizer=tokenizer,
        unknown_id=-1 if unknown_id is None else unknown_id,
        is_normalised=bool(config.get("normalize", False)),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; the router's embedder is fetched by `neuroforge models pull potion-base-8m`"
        ) from error
