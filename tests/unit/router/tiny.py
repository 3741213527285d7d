"""A static embedder small enough to check by hand, and one that gives every word of a list its own direction."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from neuroforge.router.embedder import StaticEmbedder, load_embedder


def write_embedder(directory: Path, vectors: Mapping[str, Sequence[float]], *, normalize: bool = True) -> Path:
    """Write a model2vec directory in which each word is a token with its vector; `[UNK]` comes first, with zeros."""
    words = ["[UNK]", *vectors]
    width = len(next(iter(vectors.values())))
    table = np.array([[0.0] * width, *vectors.values()], dtype=np.float32)
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    directory.mkdir(parents=True, exist_ok=True)
    save_file({"embeddings": table}, str(directory / "model.safetensors"))
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "config.json").write_text(json.dumps({"normalize": normalize}))
    return directory


def word_embedder(directory: Path, words: Sequence[str], dimension: int = 16, seed: int = 0) -> StaticEmbedder:
    """Return an embedder in which each of the words has a random direction."""
    draws = np.random.default_rng(seed).normal(size=(len(words), dimension))
    return load_embedder(write_embedder(directory, dict(zip(words, draws.tolist(), strict=True))))
