"""ModelSpec -> the numbers and switches with which llama.cpp is started."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import xllamacpp

from neuroforge.assets.gguf import GgufHeader
from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.llamacpp_capabilities import wants_embeddings
from neuroforge.engines.llamacpp_template import teach_tools
from neuroforge.errors import ConfigError

CPU_COUNT_UNKNOWN = 1
PREFILL_BATCH_S = 0.25
"""Longest time that one batch of prompt tokens should take: a cancelled prompt stops after two batches at most."""
PREFILL_BYTES_PER_S = 14e9
"""Weights x tokens that one thread reads in a second of prefill; measured 145 tokens/s at 97 MB on an AVX2 core."""
MIN_BATCH, MAX_BATCH = 8, 512
TEMPLATE_KEY = "tokenizer.chat_template"
POOLING_SUFFIX = ".pooling_type"
"""In the file of an embedding model: how token vectors become one; other models get their mean."""
PROMPT_CACHE_MIB = 128
"""llama.cpp's default keeps up to 8 GiB of old prompts in RAM, which no memory plan knows of."""

_OURS: Final[frozenset[str]] = frozenset(
    {
        "model",
        "n_ctx",
        "n_parallel",
        "hostnames",
        "port",
        "api_keys",
        "model_alias",
        "ui",
        "endpoint_slots",
        "server_tools",
        "api_prefix",
        "models_dir",
        "hf_token",
    }
)
"""CommonParams that the platform sets itself; an entry in `engine_options` would break it."""


@dataclass(frozen=True)
class LlamaCppConfig:
    """Everything that an engine is started with."""

    model_id: str
    model_path: Path
    context_length: int = 4096
    """Tokens of prompt and answer together, for each parallel sequence."""
    parallel: int = 4
    max_queue: int = 64
    threads: int = 1
    gpu_layers: int = 0
    """-1 = all."""
    with_embeddings: bool = False
    """Serve /v1/embeddings too. Its inputs must fit one batch, so a cancelled prompt is then computed to its end."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """CommonParams by name, a dot for a nested one: {"sampling.top_k": 20}."""

    @classmethod
    def from_spec(cls, spec: ModelSpec, model_path: Path, threads: int) -> "LlamaCppConfig":
        """Take what the spec says; `threads` is decided by who knows the machine and the other models."""
        options = {name: value for name, value in spec.engine_options.items() if name != "embedding"}
        return cls(
            model_id=spec.id,
            model_path=model_path,
            context_length=spec.context_length,
            parallel=spec.parallel,
            max_queue=spec.max_queue,
            threads=threads,
            gpu_layers=-1 if spec.gpus > 0 else 0,
            with_embeddings=wants_embeddings(spec),
            options=options,
        )


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or CPU_COUNT_UNKNOWN


def default_threads(n_cores: int, n_models: int) -> int:
    """Share the cores, less one for the gateway, among the models that run beside each other; at least one each.

    llama.cpp's threads wait for each other at every layer: one thread too many makes all of them slow
    (measured: 2 threads on 2 busy cores give 0.6 to 0.8 of the tokens a second of 1 thread).
    """
    return max(1, (n_cores - 1) // max(1, n_models))


def prefill_batch(weights_bytes: int, threads: int, gpu_layers: int = 0) -> int:
    """Return how many prompt tokens one step may take, a multiple of 8.

    Small steps let a cancelled request go and other streams speak in between, and cost little: on SmolLM2-135M
    16 / 32 / 64 tokens a step reach 0.87 / 0.90 / 0.97 of the speed at 512.
    """
    if gpu_layers != 0:
        return MAX_BATCH
    n_tokens = PREFILL_BATCH_S * PREFILL_BYTES_PER_S * threads / max(1, weights_bytes)
    return max(MIN_BATCH, min(MAX_BATCH, int(n_tokens) // 8 * 8))


def build_params(config: LlamaCppConfig, server_key: str, header: GgufHeader) -> Any:
    """Return the CommonParams of a server on a free loopback port that only `server_key` opens.

    Raises:
        ConfigError: An entry of `options` that llama.cpp does not have, that is ours, or of a wrong type.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(config.model_path)
    params.model_alias = {config.model_id}
    params.n_ctx = config.context_length * config.parallel
    params.n_parallel = config.parallel
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = config.threads
    params.n_gpu_layers = config.gpu_layers
    batch = max(config.parallel, prefill_batch(config.model_path.stat().st_size, config.threads, config.gpu_layers))
    if config.with_embeddings:
        params.embedding = True
        if not any(key.endswith(POOLING_SUFFIX) for key in header.values):
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        batch = max(batch, config.context_length)
    params.n_batch = params.n_ubatch = batch
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ctx_shift = False
    params.ui = False
    params.endpoint_slots = True
    params.api_keys = [server_key]
    params.n_threads_http = config.parallel + 5  # each open connection holds one, also the one opened ahead
    params.verbosity = 0
    with_tools = teach_tools(str(header.values.get(TEMPLATE_KEY) or ""))
    if with_tools is not None:
        params.chat_template = with_tools
    for name, value in config.options.items():
        _set_option(params, name, value, config.model_id)
    return params


def _set_option(params: Any, name: str, value: Any, model_id: str) -> None:
    if name.split(".")[0] in _OURS:
        raise ConfigError(f"{model_id}: engine_options.{name} is set by the platform itself", key=name)
    *parents, leaf = name.split(".")
    owner = params
    for parent in parents:
        owner = getattr(owner, parent, None)
    if owner is None or leaf.startswith("_") or not hasattr(owner, leaf):
        near = difflib.get_close_matches(name, [known for known in dir(params) if not known.startswith("_")], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{model_id}: llama.cpp has no option {name!r}{hint}", key=name)
    try:
        setattr(owner, leaf, _typed(getattr(owner, leaf), value))
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        kind = type(getattr(owner, leaf)).__name__
        raise ConfigError(f"{model_id}: engine_options.{name} must be {kind}: {value!r}", key=name) from error


def _typed(current: Any, value: Any) -> Any:
    """An enum takes its member's number or name; a bool is no number."""
    if isinstance(current, bool) != isinstance(value, bool):
        raise TypeError("a bool is no number")
    kind = type(current)
    if hasattr(kind, "__members__"):
        return kind[value] if isinstance(value, str) else kind(value)
    return value
