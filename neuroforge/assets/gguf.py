"""GGUF header -> ModelFacts. The file is untrusted: each count and length is held against a cap and the file's size."""

import os
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import IO

from neuroforge.contracts.assets import ModelFacts
from neuroforge.errors import DataError

MAX_KEYS = 65_536
MAX_TENSORS = 1_000_000
MAX_KEY_BYTES = 65_535
MAX_KEPT_TEXT_BYTES = 1024 * 1024
MAX_KEPT_NUMBERS = 4096
MAX_DEPTH = 4
MAX_DIMENSIONS = 8
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING = 8
_ARRAY = 9
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
"""`general.file_type`, as llama.cpp numbers it."""
_TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip

Value = int | float | bool | str | tuple[int | float | bool, ...] | None
"""What is kept of a value: None where it is too long to matter here, such as the vocabulary."""


@dataclass
class GgufHeader:
    """The metadata that is small enough to keep, the length of every array, and the tensors in sum."""

    values: dict[str, Value] = field(default_factory=dict)
    array_lengths: dict[str, int] = field(default_factory=dict)
    n_parameters: int = 0
    n_tensors_by_type: Counter[int] = field(default_factory=Counter)


def read_gguf_facts(path: Path) -> ModelFacts:
    """Return what the header says; `weights_bytes` is the file's size.

    Raises:
        DataError: Not a GGUF file, of a version that is not read, cut off, or with an absurd count.
    """
    header = read_gguf_header(path)
    return facts_of_header(header, weights_bytes=path.stat().st_size)


def read_gguf_header(path: Path) -> GgufHeader:
    """Read metadata and tensor descriptions, in time and memory that the file's size bounds.

    Raises:
        DataError: As `read_gguf_facts`.
    """
    try:
        with path.open("rb") as stream:
            return _Reader(stream, path.name).read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def facts_of_header(header: GgufHeader, weights_bytes: int) -> ModelFacts:
    """Pick the facts; where layers differ, the largest number of key-value heads counts."""
    values = header.values
    architecture = _text(values.get("general.architecture"))

    def number(key: str) -> int | None:
        return _number(values.get(f"{architecture}.{key}"))

    n_heads = number("attention.head_count")
    width = number("embedding_length")
    per_head = width // n_heads if width and n_heads else None
    vocabulary = header.array_lengths.get("tokenizer.ggml.tokens") or number("vocab_size")
    return ModelFacts(
        architecture=architecture,
        name=_text(values.get("general.name")),
        n_parameters=header.n_parameters or None,
        quantization=_quantization(header),
        context_length=number("context_length"),
        n_layers=number("block_count"),
        n_heads=n_heads,
        n_kv_heads=number("attention.head_count_kv") or n_heads,
        head_size=number("attention.key_length") or per_head,
        n_vocabulary=vocabulary,
        has_chat_template=values.get("tokenizer.chat_template", "") != "",
        is_embedding_model=f"{architecture}.pooling_type" in values or (architecture or "").endswith("bert"),
        weights_bytes=weights_bytes,
    )


def _quantization(header: GgufHeader) -> str | None:
    file_type = _number(header.values.get("general.file_type"))
    if file_type in _FILE_TYPES:
        return _FILE_TYPES[file_type]
    common = header.n_tensors_by_type.most_common(1)
    return _TENSOR_TYPES.get(common[0][0]) if common else None


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Value) -> int | None:
    if isinstance(value, tuple):
        whole = [one for one in value if isinstance(one, int) and one > 0]
        return max(whole) if whole else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class _Reader:
    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        self._n_left = os.fstat(stream.fileno()).st_size

    def read(self) -> GgufHeader:
        if self._n_left < 24 or self._bytes(4) != b"GGUF":
            raise DataError(f"{self._name}: not a GGUF file")
        version = self._unsigned("<I")
        if version not in (2, 3):
            raise DataError(f"{self._name}: GGUF version {version} is not read (2 and 3 are, little-endian)")
        n_tensors = self._count("<Q", MAX_TENSORS, "tensors")
        n_keys = self._count("<Q", MAX_KEYS, "metadata keys")
        header = GgufHeader()
        for _ in range(n_keys):
            key = self._bytes(self._count("<Q", MAX_KEY_BYTES, "bytes in a key")).decode("utf-8", errors="replace")
            header.values[key] = self._value(self._unsigned("<I"), header, key, depth=0)
        for _ in range(n_tensors):
            self._tensor(header)
        return header

    def _tensor(self, header: GgufHeader) -> None:
        self._skip(self._count("<Q", MAX_KEY_BYTES, "bytes in a tensor's name"))
        n_dimensions = self._count("<I", MAX_DIMENSIONS, "dimensions")
        header.n_parameters += prod(self._unsigned("<Q") for _ in range(n_dimensions))
        header.n_tensors_by_type[self._unsigned("<I")] += 1
        self._skip(8)

    def _value(self, kind: int, header: GgufHeader, key: str, depth: int) -> Value:
        if kind in _SCALARS:
            number: int | float | bool = self._unpack(_SCALARS[kind])
            return number
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(header, key, depth)
        raise DataError(f"{self._name}: metadata {key[:80]!r} has the unknown type {kind}")

    def _string(self) -> str | None:
        n_bytes = self._unsigned("<Q")
        if n_bytes > MAX_KEPT_TEXT_BYTES:
            self._skip(n_bytes)
            return None
        return self._bytes(n_bytes).decode("utf-8", errors="replace")

    def _array(self, header: GgufHeader, key: str, depth: int) -> Value:
        if depth >= MAX_DEPTH:
            raise DataError(f"{self._name}: metadata {key[:80]!r} nests deeper than {MAX_DEPTH}")
        kind = self._unsigned("<I")
        count = self._unsigned("<Q")
        if depth == 0:
            header.array_lengths[key] = count
        if kind in _SCALARS:
            shape = f"<{count}{_SCALARS[kind][1]}"
            if count <= MAX_KEPT_NUMBERS:
                return struct.unpack(shape, self._bytes(struct.calcsize(shape)))
            self._skip(count * struct.calcsize(_SCALARS[kind]))
            return None
        if kind not in (_STRING, _ARRAY):
            raise DataError(f"{self._name}: metadata {key[:80]!r} is an array of the unknown type {kind}")
        skip_one: Callable[[], object] = (
            (lambda: self._skip(self._unsigned("<Q")))
            if kind == _STRING
            else lambda: self._array(header, key, depth + 1)
        )
        self._require(count * 8)
        for _ in range(count):
            skip_one()
        return None

    def _unsigned(self, shape: str) -> int:
        return int(self._unpack(shape))

    def _unpack(self, shape: str) -> int | float | bool:
        number: int | float | bool = struct.unpack(shape, self._bytes(struct.calcsize(shape)))[0]
        return number

    def _count(self, shape: str, limit: int, of: str) -> int:
        count = self._unsigned(shape)
        if count > limit:
            raise DataError(f"{self._name}: {count:,} {of}, more than the {limit:,} that are read")
        return count

    def _bytes(self, n_bytes: int) -> bytes:
        self._require(n_bytes)
        data = self._stream.read(n_bytes)
        self._n_left -= len(data)
        if len(data) != n_bytes:
            raise DataError(f"{self._name}: changed while it was read")
        return data

    def _skip(self, n_bytes: int) -> None:
        self._require(n_bytes)
        if n_bytes < 4096:
            self._stream.read(n_bytes)
        else:
            self._stream.seek(n_bytes, os.SEEK_CUR)
        self._n_left -= n_bytes

    def _require(self, n_bytes: int) -> None:
        if n_bytes > self._n_left:
            raise DataError(f"{self._name}: cut off: {n_bytes:,} bytes announced, {self._n_left:,} left")
