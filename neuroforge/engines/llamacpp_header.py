"""What the header of a GGUF file says about how to start llama.cpp, which itself tells it too late."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from neuroforge.errors import EngineError

_MAGIC: Final = b"GGUF"
_TEMPLATE_KEY: Final = b"tokenizer.chat_template"
_POOLING_SUFFIX: Final = b".pooling_type"
_STRING, _ARRAY = 8, 9
_SIZE_BY_TYPE = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each fixed-size value type. Source: the GGUF specification, version 3."""


@dataclass(frozen=True)
class GgufHeader:
    """Two entries of the header."""

    chat_template: str | None
    has_pooling: bool
    """Whether it says how token vectors become one embedding, as embedding models do."""


def read_header(path: Path) -> GgufHeader:
    """Return what the file's header says.

    Raises:
        EngineError: No such file, no GGUF file, or a header that is cut short.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(data)
    except OSError as error:
        raise EngineError(f"{path.name} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise EngineError(f"{path.name} is no GGUF file, or its header is damaged") from error


def _parse(data: mmap.mmap) -> GgufHeader:
    if data[:4] != _MAGIC:
        raise ValueError("no GGUF magic")
    (n_entries,) = struct.unpack_from("<Q", data, 16)
    at = 24
    chat_template, has_pooling = None, False
    for _ in range(n_entries):
        key, at = _read_string(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        at += 4
        if key == _TEMPLATE_KEY and kind == _STRING:
            chat_template = _read_string(data, at)[0].decode()
        has_pooling = has_pooling or key.endswith(_POOLING_SUFFIX)
        at = _skip_value(data, at, kind)
    return GgufHeader(chat_template, has_pooling)


def _read_string(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("cut short")
    return data[at + 8 : end], end


def _skip_value(data: mmap.mmap, at: int, kind: int) -> int:
    if kind == _STRING:
        return _read_string(data, at)[1]
    if kind != _ARRAY:
        return at + _SIZE_BY_TYPE[kind]
    element_kind, n_elements = struct.unpack_from("<IQ", data, at)
    at += 12
    if element_kind in _SIZE_BY_TYPE:
        return int(at + _SIZE_BY_TYPE[element_kind] * n_elements)
    for _ in range(n_elements):
        at = _skip_value(data, at, element_kind)
    return at
