import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.assets.gguf import read_gguf_facts, read_gguf_header
from neuroforge.contracts.assets import ModelFacts
from neuroforge.errors import DataError
from tests.unit.assets.gguf_bytes import ARRAY, I32, STRING, U32, array, gguf, key_value, small_model, text, u32, u64


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf") / "model.gguf"


def facts_of(data: bytes, path: Path) -> ModelFacts:
    path.write_bytes(data)
    return read_gguf_facts(path)


def test_header_tells_the_shape_of_the_model(scratch: Path) -> None:
    data = small_model()
    assert facts_of(data, scratch) == ModelFacts(
        architecture="llama",
        name="Tiny",
        n_parameters=32 * 3 + 32,
        quantization="Q4_K_M",
        context_length=2048,
        n_layers=2,
        n_heads=4,
        n_kv_heads=2,
        head_size=8,
        n_vocabulary=3,
        has_chat_template=True,
        weights_bytes=len(data),
    )


def test_layers_that_differ_count_with_their_largest_number_of_heads(scratch: Path) -> None:
    heads = array(I32, [u32(2), u32(0), u32(8)])
    data = gguf({"general.architecture": (STRING, text("x")), "x.attention.head_count_kv": (ARRAY, heads)})
    assert facts_of(data, scratch).n_kv_heads == 8


def test_pooling_marks_an_embedding_model(scratch: Path) -> None:
    data = gguf({"general.architecture": (STRING, text("x")), "x.pooling_type": (U32, u32(1))})
    assert facts_of(data, scratch).is_embedding_model


def test_long_text_is_passed_over_but_counts_as_present(scratch: Path) -> None:
    data = gguf({"tokenizer.chat_template": (STRING, text("x" * (1024 * 1024 + 1)))})
    scratch.write_bytes(data)
    assert read_gguf_header(scratch).values == {"tokenizer.chat_template": None}
    assert read_gguf_facts(scratch).has_chat_template


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a GGUF file"),
        (b"<html>not a model at all</html>", "not a GGUF file"),
        (gguf({}, version=1), "version 1"),
        (gguf({}, version=0x03000000), "little-endian"),
        (b"GGUF" + u32(3) + u64(2**40) + u64(0), "tensors"),
        (b"GGUF" + u32(3) + u64(0) + u64(2**63), "metadata keys"),
        (b"GGUF" + u32(3) + u64(0) + u64(1) + u64(2**32), "bytes in a key"),
        (b"GGUF" + u32(3) + u64(0) + u64(1) + key_value("k", STRING, u64(2**62)), "cut off"),
        (b"GGUF" + u32(3) + u64(0) + u64(1) + key_value("k", ARRAY, u32(U32) + u64(2**61)), "cut off"),
        (b"GGUF" + u32(3) + u64(0) + u64(1) + key_value("k", ARRAY, u32(STRING) + u64(2**61)), "cut off"),
        (b"GGUF" + u32(3) + u64(0) + u64(1) + key_value("k", 99, b""), "unknown type 99"),
        (small_model()[:-100], "cut off"),
    ],
)
def test_damaged_headers_are_refused_with_the_reason(data: bytes, reason: str, scratch: Path) -> None:
    with pytest.raises(DataError, match=reason):
        facts_of(data, scratch)


def test_nested_arrays_are_refused_beyond_a_depth(scratch: Path) -> None:
    value = array(ARRAY, [array(ARRAY, [array(ARRAY, [array(ARRAY, [array(U32, [])])])])])
    with pytest.raises(DataError, match="nests deeper"):
        facts_of(gguf({"k": (ARRAY, value)}), scratch)


@st.composite
def damaged_models(draw: st.DrawFn) -> bytes:
    data = bytearray(small_model())
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(4, len(data) - 1))
        patch = draw(st.binary(min_size=1, max_size=12))
        data[start : start + len(patch)] = patch
    return bytes(data[: draw(st.integers(0, len(data)))])


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: b"GGUF" + u32(3) + tail), damaged_models()
    )
)
def test_any_bytes_are_read_or_refused_without_much_memory(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(data)
    tracemalloc.start()
    try:
        facts = read_gguf_facts(scratch)
        assert facts.weights_bytes == len(data)
    except DataError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1_000_000
