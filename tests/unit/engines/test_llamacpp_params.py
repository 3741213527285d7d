from pathlib import Path
from typing import Any

import pytest
import xllamacpp
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.assets.gguf import GgufHeader
from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.llamacpp_params import (
    MAX_BATCH,
    MIN_BATCH,
    LlamaCppConfig,
    available_cores,
    build_params,
    default_threads,
    prefill_batch,
)
from neuroforge.errors import ConfigError

NO_TEMPLATE = GgufHeader()
TEMPLATE = "tokenizer.chat_template"


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"x" * 1000)
    return path


def params(path: Path, header: GgufHeader = NO_TEMPLATE, **changes: Any) -> Any:
    return build_params(LlamaCppConfig("m", path, **changes), "key", header)


@pytest.mark.parametrize(
    ("n_cores", "n_models", "threads"), [(1, 1, 1), (2, 1, 1), (2, 2, 1), (8, 1, 7), (8, 2, 3), (8, 20, 1), (4, 0, 3)]
)
def test_threads_leave_one_core_and_are_shared(n_cores: int, n_models: int, threads: int) -> None:
    assert default_threads(n_cores, n_models) == threads


def test_there_is_a_core() -> None:
    assert available_cores() >= 1


def test_a_prefill_batch_of_smollm2_on_one_thread_takes_a_quarter_second() -> None:
    assert prefill_batch(98_000_000, threads=1) == 32


def test_a_gpu_takes_the_largest_batch() -> None:
    assert prefill_batch(4_000_000_000, threads=1, gpu_layers=-1) == MAX_BATCH


@given(st.integers(0, 10**12), st.integers(1, 256))
def test_a_prefill_batch_is_within_bounds(weights_bytes: int, threads: int) -> None:
    batch = prefill_batch(weights_bytes, threads)
    assert MIN_BATCH <= batch <= MAX_BATCH
    assert batch % 8 == 0


def test_the_server_is_locked_and_on_loopback(model_path: Path) -> None:
    built = params(model_path)
    assert list(built.api_keys) == ["key"]
    assert list(built.hostnames) == ["127.0.0.1"]
    assert built.port == 0
    assert built.ui is False


def test_each_sequence_gets_the_context_length(model_path: Path) -> None:
    built = params(model_path, context_length=1000, parallel=3, threads=2)
    assert (built.n_ctx, built.n_parallel) == (3000, 3)
    assert (built.cpuparams.n_threads, built.cpuparams_batch.n_threads) == (2, 2)


def test_embeddings_pool_by_mean_unless_the_model_says_how(model_path: Path) -> None:
    mean = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    assert params(model_path, with_embeddings=True).pooling_type == mean
    own = params(model_path, GgufHeader(values={"bert.pooling_type": 1}), with_embeddings=True)
    assert own.pooling_type == xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_UNSPECIFIED
    assert own.n_ubatch >= 4096


def test_a_chatml_template_is_taught_tools(model_path: Path) -> None:
    chatml = "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}"
    assert chatml in params(model_path, GgufHeader(values={TEMPLATE: chatml})).chat_template
    assert params(model_path).chat_template == ""


def test_options_reach_llama_cpp_nested_and_by_enum_name(model_path: Path) -> None:
    off = "LLAMA_FLASH_ATTN_TYPE_DISABLED"
    built = params(model_path, options={"sampling.top_k": 7, "n_ubatch": 16, "flash_attn_type": off})
    assert (built.sampling.top_k, built.n_ubatch) == (7, 16)
    assert built.flash_attn_type == xllamacpp.llama_flash_attn_type[off]


def test_an_own_template_wins(model_path: Path) -> None:
    header = GgufHeader(values={TEMPLATE: "<|im_start|>"})
    assert params(model_path, header, options={"chat_template": "mine"}).chat_template == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bach": 1}, "did you mean n_batch"),
        ({"sampling.top_q": 1}, "no option 'sampling.top_q'"),
        ({"nothing.at.all": 1}, "no option"),
        ({"api_keys": []}, "set by the platform"),
        ({"model.path": "x"}, "set by the platform"),
        ({"n_ubatch": "many"}, "must be int"),
        ({"n_ubatch": True}, "must be int"),
        ({"flash_attn_type": "SOMETIMES"}, "must be"),
        ({"_private": 1}, "no option"),
    ],
)
def test_options_that_cannot_be_set_are_refused(model_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        params(model_path, options=options)


def test_a_spec_becomes_a_config() -> None:
    spec = ModelSpec(id="q", path="q.gguf", context_length=512, parallel=2, max_queue=3, gpus=1.0)
    assert LlamaCppConfig.from_spec(spec, Path("q.gguf"), threads=5) == LlamaCppConfig(
        "q", Path("q.gguf"), context_length=512, parallel=2, max_queue=3, threads=5, gpu_layers=-1
    )


@pytest.mark.parametrize("changes", [{"engine_options": {"embedding": True}}, {"capabilities": ("chat", "embedding")}])
def test_embeddings_are_asked_for_by_option_or_capability(changes: dict[str, Any]) -> None:
    config = LlamaCppConfig.from_spec(ModelSpec(id="e", path="e.gguf", **changes), Path("e.gguf"), threads=1)
    assert config.with_embeddings
    assert config.options == {}
