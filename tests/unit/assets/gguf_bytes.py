"""Writes GGUF headers, right and wrong, byte by byte."""

import struct
from collections.abc import Mapping, Sequence

U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def array(kind: int, items: Sequence[bytes]) -> bytes:
    return u32(kind) + u64(len(items)) + b"".join(items)


def key_value(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + u32(kind) + value


def tensor(name: str, shape: Sequence[int], kind: int) -> bytes:
    return text(name) + u32(len(shape)) + b"".join(u64(one) for one in shape) + u32(kind) + u64(0)


def gguf(values: Mapping[str, tuple[int, bytes]], tensors: Sequence[bytes] = (), version: int = 3) -> bytes:
    head = b"GGUF" + u32(version) + u64(len(tensors)) + u64(len(values))
    return head + b"".join(key_value(key, *value) for key, value in values.items()) + b"".join(tensors)


def small_model() -> bytes:
    """Two layers, four heads, two of them for keys and values, width 32, three words."""
    values = {
        "general.architecture": (STRING, text("llama")),
        "general.name": (STRING, text("Tiny")),
        "general.file_type": (U32, u32(15)),
        "llama.block_count": (U32, u32(2)),
        "llama.context_length": (U32, u32(2048)),
        "llama.embedding_length": (U32, u32(32)),
        "llama.attention.head_count": (U32, u32(4)),
        "llama.attention.head_count_kv": (U32, u32(2)),
        "tokenizer.ggml.tokens": (ARRAY, array(STRING, [text("a"), text("b"), text("c")])),
        "tokenizer.chat_template": (STRING, text("{{ messages }}")),
    }
    return gguf(values, [tensor("token_embd.weight", (32, 3), 12), tensor("output_norm.weight", (32,), 0)]) + bytes(64)
