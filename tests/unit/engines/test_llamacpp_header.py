import struct
from pathlib import Path

import pytest

from neuroforge.engines.llamacpp_header import GgufHeader, read_header
from neuroforge.errors import EngineError


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def gguf(tmp_path: Path, *entries: bytes) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries))
    return path


TOKENS = entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + string("a") + string("ö"))
SCORES = entry("scores", 9, struct.pack("<IQ", 6, 3) + bytes(12))
NESTED = entry("nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 5) + bytes(5))


def test_entries_of_every_shape_are_skipped(tmp_path: Path) -> None:
    template = entry("tokenizer.chat_template", 8, string("{{ ü }}"))
    path = gguf(tmp_path, TOKENS, SCORES, NESTED, entry("n", 4, bytes(4)), entry("b", 7, bytes(1)), template)
    assert read_header(path) == GgufHeader(chat_template="{{ ü }}", has_pooling=False)


def test_pooling_is_noticed_in_any_architecture(tmp_path: Path) -> None:
    assert read_header(gguf(tmp_path, entry("bert.pooling_type", 4, bytes(4)))) == GgufHeader(None, has_pooling=True)


@pytest.mark.parametrize("content", [b"", b"not a model", b"GGUF", b"GGUF" + struct.pack("<IQQ", 3, 0, 5)])
def test_what_is_no_model_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.gguf is no GGUF file"):
        read_header(path)


def test_a_string_longer_than_the_file_is_an_error(tmp_path: Path) -> None:
    path = gguf(tmp_path, struct.pack("<Q", 2**62))
    with pytest.raises(EngineError):
        read_header(path)


def test_an_unknown_value_type_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        read_header(gguf(tmp_path, entry("odd", 99, b"")))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        read_header(tmp_path / "none.gguf")
