"""ModelFacts + ModelSpec + free memory -> MemoryPlan: what one replica will need, before anything is loaded."""

import logging

from neuroforge.contracts.assets import MemoryPlan, ModelFacts
from neuroforge.contracts.models import EngineKind, ModelSpec
from neuroforge.errors import OutOfMemory

logger = logging.getLogger(__name__)
KV_ELEMENT_BYTES = 2
"""Keys and values are kept in 16 bits."""
VLLM_CPU_KV_ELEMENT_BYTES = 4
"""vLLM without a GPU runs in float32."""
BASE_OVERHEAD_BYTES = 32 * 1024 * 1024
OVERHEAD_BYTES_PER_TOKEN_ID = 800
"""Token tables, output rows and scratch buffers grow with the vocabulary; measured in docs/decisions/062."""
UNKNOWN_VOCABULARY = 128_000
CONTEXT_STEP = 64
MIN_CONTEXT_LENGTH = 128
"""The least that a ModelSpec may ask for."""


def plan_memory(spec: ModelSpec, facts: ModelFacts, free_bytes: int) -> MemoryPlan:
    """Estimate weights, cache and overhead of one replica with all its sequences full.

    Sliding windows and shared layers are not credited, so that the cache of such models is overestimated. A header that
    is silent about its shape counts no cache. The replica's own Python process is not included.

    Args:
        free_bytes: Memory that may be taken now; reclaimable caches of the system count as free.
    """
    per_token = kv_bytes_per_token(facts, _element_bytes(spec))
    overhead = BASE_OVERHEAD_BYTES + OVERHEAD_BYTES_PER_TOKEN_ID * (facts.n_vocabulary or UNKNOWN_VOCABULARY)
    if per_token is None:
        logger.warning("model header is silent about its shape; its cache is not counted", extra={"model_id": spec.id})
    return MemoryPlan(
        weights_bytes=facts.weights_bytes,
        kv_cache_bytes=(per_token or 0) * spec.context_length * spec.parallel,
        overhead_bytes=overhead,
        free_bytes=free_bytes,
        fitting_context_length=_fitting_context_length(
            free_bytes - facts.weights_bytes - overhead, (per_token or 0) * spec.parallel, facts, spec
        ),
    )


def check_fits(spec: ModelSpec, facts: ModelFacts, free_bytes: int) -> MemoryPlan:
    """Return the plan of a replica that fits.

    Raises:
        OutOfMemory: It does not; says the context length that would, at the same number of sequences.
    """
    plan = plan_memory(spec, facts, free_bytes)
    if plan.fits:
        return plan
    fitting = plan.fitting_context_length
    remedy = (
        f"a context_length of {fitting} would fit; so would fewer parallel sequences than {spec.parallel}"
        if fitting is not None
        else "not even the smallest context would fit: unload another model or choose a smaller one"
    )
    raise OutOfMemory(
        f"{spec.id}: needs {_megabytes(plan.needed_bytes)} (weights {_megabytes(plan.weights_bytes)}, KV cache "
        f"{_megabytes(plan.kv_cache_bytes)} for {spec.parallel} x {spec.context_length} tokens, overhead "
        f"{_megabytes(plan.overhead_bytes)}) and {_megabytes(free_bytes)} are free; {remedy}",
        model_id=spec.id,
        needed_bytes=plan.needed_bytes,
        free_bytes=free_bytes,
        fitting_context_length=fitting,
    )


def _element_bytes(spec: ModelSpec) -> int:
    is_vllm_on_cpu = spec.engine == EngineKind.VLLM and spec.gpus == 0
    return VLLM_CPU_KV_ELEMENT_BYTES if is_vllm_on_cpu else KV_ELEMENT_BYTES


def kv_bytes_per_token(facts: ModelFacts, element_bytes: int = KV_ELEMENT_BYTES) -> int | None:
    """Return what one token of one sequence takes in the cache, all layers; None if the header is silent."""
    if facts.n_layers is None or facts.n_kv_heads is None or facts.head_size is None:
        return None
    return 2 * facts.n_layers * facts.n_kv_heads * facts.head_size * element_bytes


def _fitting_context_length(left_bytes: int, bytes_per_position: int, facts: ModelFacts, spec: ModelSpec) -> int | None:
    if left_bytes < 0:
        return None
    most = facts.context_length or spec.context_length
    if bytes_per_position:
        most = min(most, left_bytes // bytes_per_position)
    rounded = most // CONTEXT_STEP * CONTEXT_STEP
    return rounded if rounded >= MIN_CONTEXT_LENGTH else None


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
