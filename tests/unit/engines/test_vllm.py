from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.assets import ModelFacts
from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.vllm import (
    SUPPORTED_CAPABILITIES,
    VllmPlan,
    kv_cache_bytes,
    offered_capabilities,
    plan_vllm,
)
from neuroforge.errors import ConfigError

SMOLLM2 = ModelFacts(n_layers=30, n_kv_heads=3, head_size=64, weights_bytes=1)


def spec(**changes: Any) -> ModelSpec:
    values = {"id": "m", "engine": "vllm", "path": "/m", "context_length": 2048, "parallel": 4, "max_queue": 2}
    return ModelSpec.model_validate({**values, **changes})


def plan(kv_bytes: int | None = None, default_threads: int = 1, cpus: float = 0.2, **changes: Any) -> VllmPlan:
    python = "/env/bin/python"
    return plan_vllm(spec(**changes), "/m", python=python, cpus=cpus, threads=default_threads, kv_bytes=kv_bytes)


def test_a_cpu_model_runs_eagerly_in_float32_with_the_cache_it_was_given() -> None:
    kwargs = plan(kv_bytes=123).llm_config["engine_kwargs"]
    assert {name: kwargs[name] for name in ("dtype", "enforce_eager", "kv_cache_memory_bytes")} == {
        "dtype": "float32",
        "enforce_eager": True,
        "kv_cache_memory_bytes": 123,
    }
    assert (kwargs["max_model_len"], kwargs["max_num_seqs"]) == (2048, 4)


def test_a_cpu_model_takes_one_gibibyte_of_cache_when_its_shape_is_unknown() -> None:
    assert plan().llm_config["engine_kwargs"]["kv_cache_memory_bytes"] == 2**30


def test_a_cpu_model_reserves_its_cpus_once() -> None:
    made = plan(cpus=0.3)
    assert made.llm_config["accelerator_config"] == {"kind": "cpu"}
    assert made.bundles == ({"CPU": 0.3},)


def test_threads_are_the_specs_else_the_given_and_never_pinned() -> None:
    assert plan(default_threads=3).env_vars["OMP_NUM_THREADS"] == "3"
    assert plan(default_threads=3, threads=2).env_vars["OMP_NUM_THREADS"] == "2"
    assert plan().env_vars["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"


def test_one_gpu_takes_one_bundle_that_also_holds_the_replica() -> None:
    made = plan(gpus=1)
    assert made.llm_config["accelerator_config"] == {"kind": "gpu"}
    assert made.llm_config["placement_group_config"] == {"bundles": [{"GPU": 1.0}], "strategy": "PACK"}
    assert made.bundles == ({"CPU": 0.2, "GPU": 1.0},)
    kwargs = made.llm_config["engine_kwargs"]
    assert not {"dtype", "enforce_eager", "tensor_parallel_size", "gpu_memory_utilization"} & kwargs.keys()
    assert "OMP_NUM_THREADS" not in made.env_vars


def test_tensor_parallel_takes_a_bundle_for_each_gpu() -> None:
    made = plan(gpus=4, tensor_parallel_size=4)
    assert made.llm_config["engine_kwargs"]["tensor_parallel_size"] == 4
    assert made.bundles == ({"CPU": 0.2, "GPU": 1.0}, {"GPU": 1.0}, {"GPU": 1.0}, {"GPU": 1.0})


def test_pipeline_stages_multiply_the_gpus() -> None:
    made = plan(gpus=4, tensor_parallel_size=2, engine_options={"pipeline_parallel_size": 2})
    assert len(made.bundles) == 4


def test_a_share_of_a_gpu_takes_that_share_of_its_memory() -> None:
    made = plan(gpus=0.5)
    assert made.bundles == ({"CPU": 0.2, "GPU": 0.5},)
    assert made.llm_config["engine_kwargs"]["gpu_memory_utilization"] == 0.45


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gpus": 2}, "set tensor_parallel_size"),
        ({"gpus": 1, "tensor_parallel_size": 2}, "is 2"),
        ({"tensor_parallel_size": 2}, "is 2"),
        ({"engine_options": {"pipeline_parallel_size": "two"}}, "a whole number"),
        ({"engine_options": {"max_model_len": 5}}, "use context_length"),
        ({"engine_options": {"api_key": "x"}}, "the internal token guards"),
    ],
)
def test_contradictions_and_reserved_options_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(**changes)


def test_the_users_options_reach_the_engine_and_replace_ours() -> None:
    kwargs = plan(engine_options={"dtype": "bfloat16", "swap_space": 1}).llm_config["engine_kwargs"]
    assert (kwargs["dtype"], kwargs["swap_space"]) == ("bfloat16", 1)


def test_prompts_are_not_logged_and_the_hub_is_not_asked() -> None:
    made = plan()
    assert made.llm_config["engine_kwargs"]["enable_log_requests"] is False
    assert made.env_vars["RAYLLM_ENABLE_REQUEST_PROMPT_LOGS"] == "0"
    assert made.env_vars["HF_HUB_OFFLINE"] == "1"
    assert made.llm_config["experimental_configs"] == {"stream_batching_interval_ms": 0}


def test_the_workers_use_the_interpreter_of_the_environment() -> None:
    made = plan()
    assert made.llm_config["runtime_env"] == {"py_executable": "/env/bin/python", "env_vars": made.env_vars}


def test_what_decodes_and_what_may_wait_is_inside() -> None:
    assert plan(parallel=4, max_queue=2).n_at_most == 6


def test_the_cache_holds_every_sequence_in_whole_blocks() -> None:
    # 2 x 30 layers x 3 heads x 64 x 4 bytes = 46,080 a token; 130 tokens are 2 blocks of 128; 3 sequences and a spare.
    assert kv_cache_bytes(spec(context_length=130, parallel=3), SMOLLM2) == (2 * 3 + 1) * 128 * 46_080


def test_a_silent_header_gives_no_cache_size() -> None:
    assert kv_cache_bytes(spec(), ModelFacts(weights_bytes=1)) is None


@given(context_length=st.integers(128, 10_000), parallel=st.integers(1, 64))
def test_the_cache_is_never_smaller_than_all_contexts(context_length: int, parallel: int) -> None:
    n_bytes = kv_cache_bytes(spec(context_length=context_length, parallel=parallel), SMOLLM2)
    assert n_bytes is not None
    assert n_bytes >= context_length * parallel * 46_080


def test_tools_need_a_parser() -> None:
    both = {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}
    assert offered_capabilities(spec(engine_options=both)) == SUPPORTED_CAPABILITIES | {"tools"}
    assert offered_capabilities(spec(engine_options={"tool_call_parser": "hermes"})) == SUPPORTED_CAPABILITIES
