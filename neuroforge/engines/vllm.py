"""ModelSpec -> what vLLM is started with. Plain data: `cluster.vllm` hands it to ray.serve.llm."""

from dataclasses import dataclass
from typing import Any

from neuroforge.contracts.assets import ModelFacts
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import Capability, ModelSpec
from neuroforge.errors import ConfigError

SUPPORTED_CAPABILITIES: frozenset[Capability] = frozenset(
    {
        "chat",
        "completion",
        "count_tokens",
        "label_logprobs",
        "json_object",
        "json_schema",
        "logprobs",
        "top_logprobs",
        "echo",
        "seed",
        "stop",
        "n",
        "logit_bias",
        "penalties",
    }
)
"""What vLLM does with every text model; `offered_capabilities` adds what depends on the entry."""

_FIELD_BY_RESERVED_OPTION = {
    "model": "path or asset",
    "served_model_name": "id",
    "max_model_len": "context_length",
    "max_num_seqs": "parallel",
    "tensor_parallel_size": "tensor_parallel_size",
    "api_key": "nothing: the internal token guards every route",
    "enable_log_requests": "nothing: prompts are not logged",
    "enable_log_outputs": "nothing: answers are not logged",
    "disable_log_stats": "nothing: the statistics need it",
    "distributed_executor_backend": "gpus",
}
_CPU_KV_BLOCK_TOKENS = 128
_CPU_VALUE_BYTES = 4
_DEFAULT_CPU_KV_BYTES = 2**30
_GPU_MEMORY_SHARE = 0.9


@dataclass(frozen=True)
class VllmPlan:
    """One replica's start, ready for Ray."""

    llm_config: JsonObject
    """Arguments of ray.serve.llm.LLMConfig."""
    bundles: tuple[dict[str, float], ...]
    """Placement group: the first bundle also holds the replica's own process."""
    env_vars: dict[str, str]
    n_at_most: int
    """Generating requests that may be inside one replica, decoding or waiting."""


def offered_capabilities(spec: ModelSpec) -> frozenset[Capability]:
    """Return what this entry can do: tools need its options `enable_auto_tool_choice` and `tool_call_parser`."""
    has_tools = spec.engine_options.get("enable_auto_tool_choice") and spec.engine_options.get("tool_call_parser")
    return SUPPORTED_CAPABILITIES | {"tools"} if has_tools else SUPPORTED_CAPABILITIES


def plan_vllm(
    spec: ModelSpec, source: str, *, python: str, cpus: float, threads: int, kv_bytes: int | None
) -> VllmPlan:
    """Work out the arguments of one replica.

    Args:
        source: Checkpoint directory (config.json, safetensors, tokenizer).
        python: Command that starts the interpreter of the vLLM environment; the engine's workers use it too.
        cpus: Ray CPUs to reserve for a replica.
        threads: Threads of the CPU engine where the spec names none.
        kv_bytes: KV cache of the CPU engine; None = 1 GiB.
    Raises:
        ConfigError: GPUs and tensor parallel size contradict each other, or `engine_options` names a setting that has a
            field of its own.
    """
    _check_options(spec)
    n_devices = _count_devices(spec)
    is_gpu = spec.gpus > 0
    gpu_bundles = [{"GPU": spec.gpus / n_devices} for _ in range(n_devices)] if is_gpu else [{}]
    env_vars = _env_vars() if is_gpu else _env_vars() | _cpu_env_vars(spec.threads or threads)
    llm_config: JsonObject = {
        "model_loading_config": {"model_id": spec.id, "model_source": source},
        "accelerator_config": {"kind": "gpu" if is_gpu else "cpu"},
        "placement_group_config": {"bundles": gpu_bundles if is_gpu else [{"CPU": cpus}], "strategy": "PACK"},
        "engine_kwargs": _engine_kwargs(spec, kv_bytes, is_gpu),
        "runtime_env": {"py_executable": python, "env_vars": env_vars},
        # The route /metrics of the replica is exact at the moment it is asked; Ray's own logger would replace it.
        "log_engine_metrics": False,
        "experimental_configs": {"stream_batching_interval_ms": 0},
    }
    bundles = ({"CPU": cpus} | gpu_bundles[0], *gpu_bundles[1:])
    return VllmPlan(llm_config, bundles, env_vars, n_at_most=spec.parallel + spec.max_queue)


def kv_cache_bytes(spec: ModelSpec, facts: ModelFacts) -> int | None:
    """Return the float32 cache that holds `parallel` full contexts in whole blocks; None where the header is silent."""
    if facts.n_layers is None or facts.n_kv_heads is None or facts.head_size is None:
        return None
    blocks = -(-spec.context_length // _CPU_KV_BLOCK_TOKENS) * spec.parallel + 1  # one block is never handed out
    token_bytes = 2 * facts.n_layers * facts.n_kv_heads * facts.head_size * _CPU_VALUE_BYTES
    return blocks * _CPU_KV_BLOCK_TOKENS * token_bytes


def _engine_kwargs(spec: ModelSpec, kv_bytes: int | None, is_gpu: bool) -> JsonObject:
    own: JsonObject = {
        "max_model_len": spec.context_length,
        "max_num_seqs": spec.parallel,
        "enable_log_requests": False,
        "disable_log_stats": False,
        "disable_fastapi_docs": True,
        "enable_prompt_tokens_details": True,
    }
    if not is_gpu:
        # float32: without AVX-512, bfloat16 falls off oneDNN. Eager: compiling takes minutes and a C++ compiler.
        own |= {
            "dtype": "float32",
            "enforce_eager": True,
            "kv_cache_memory_bytes": kv_bytes or _DEFAULT_CPU_KV_BYTES,
        }
    elif spec.tensor_parallel_size > 1:
        own["tensor_parallel_size"] = spec.tensor_parallel_size
    elif spec.gpus < 1:
        own["gpu_memory_utilization"] = round(spec.gpus * _GPU_MEMORY_SHARE, 3)
    return own | spec.engine_options


def _env_vars() -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "RAYLLM_ENABLE_REQUEST_PROMPT_LOGS": "0",
        "VLLM_SERVER_DEV_MODE": "0",
    }


def _cpu_env_vars(threads: int) -> dict[str, str]:
    """vLLM would pin its threads to all cores, which starves whatever else runs here."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # Parts of the sampler are compiled even in eager mode: 25 s at the first request for logprobs.
        "TORCH_COMPILE_DISABLE": "1",
    }


def _check_options(spec: ModelSpec) -> None:
    for name in spec.engine_options:
        if (field := _FIELD_BY_RESERVED_OPTION.get(name)) is not None:
            raise ConfigError(f"models.{spec.id}.engine_options.{name}: set by NeuroForge; use {field}")


def _count_devices(spec: ModelSpec) -> int:
    pipeline: Any = spec.engine_options.get("pipeline_parallel_size", 1)
    if not isinstance(pipeline, int) or pipeline < 1:
        raise ConfigError(
            f"models.{spec.id}.engine_options.pipeline_parallel_size: {pipeline!r}; a whole number from 1"
        )
    n_devices = spec.tensor_parallel_size * pipeline
    where = f"models.{spec.id}.gpus"
    if n_devices > 1 and spec.gpus != n_devices:
        raise ConfigError(f"{where}: {spec.gpus:g}, but tensor_parallel_size x pipeline_parallel_size is {n_devices}")
    if n_devices == 1 and spec.gpus > 1:
        raise ConfigError(f"{where}: {spec.gpus:g}, but one worker uses one GPU; set tensor_parallel_size")
    return n_devices
