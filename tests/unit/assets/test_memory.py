import pytest

from neuroforge.assets.memory import check_fits, kv_bytes_per_token, plan_memory
from neuroforge.contracts.assets import ModelFacts
from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import OutOfMemory

SMOLLM2 = ModelFacts(
    context_length=8192,
    n_layers=30,
    n_heads=9,
    n_kv_heads=3,
    head_size=64,
    n_vocabulary=49152,
    weights_bytes=98_362_432,
)
OVERHEAD = 32 * 1024 * 1024 + 800 * 49152
PER_TOKEN = 2 * 30 * 3 * 64 * 2


def spec(context_length: int = 2048, parallel: int = 4) -> ModelSpec:
    return ModelSpec(id="smol", context_length=context_length, parallel=parallel)


def test_cache_takes_a_key_and_a_value_of_two_bytes_in_each_layer() -> None:
    assert kv_bytes_per_token(SMOLLM2) == PER_TOKEN == 23_040


def test_plan_adds_weights_cache_of_all_sequences_and_overhead() -> None:
    plan = plan_memory(spec(), SMOLLM2, free_bytes=10**9)
    assert (plan.weights_bytes, plan.kv_cache_bytes, plan.overhead_bytes) == (98_362_432, PER_TOKEN * 8192, OVERHEAD)
    assert plan.fits


@pytest.mark.parametrize(
    ("context_length", "parallel", "measured_bytes"),
    [(512, 1, 149_917_696), (2048, 1, 194_232_320), (2048, 4, 336_322_560), (1024, 8, 342_286_336)],
)
def test_estimate_covers_what_llamacpp_was_measured_to_take(
    context_length: int, parallel: int, measured_bytes: int
) -> None:
    needed = plan_memory(spec(context_length, parallel), SMOLLM2, free_bytes=0).needed_bytes
    assert measured_bytes <= needed <= 1.25 * measured_bytes


def test_what_just_fits_is_accepted() -> None:
    needed = 98_362_432 + PER_TOKEN * 8192 + OVERHEAD
    assert check_fits(spec(), SMOLLM2, free_bytes=needed).needed_bytes == needed


def test_a_refusal_says_the_context_that_would_fit() -> None:
    free = 98_362_432 + OVERHEAD + PER_TOKEN * 4 * 1000
    with pytest.raises(OutOfMemory, match="a context_length of 960 would fit") as caught:
        check_fits(spec(), SMOLLM2, free_bytes=free)
    assert caught.value.context["fitting_context_length"] == 960
    assert check_fits(spec(context_length=960), SMOLLM2, free_bytes=free).fits


def test_weights_alone_beyond_memory_leave_no_context() -> None:
    with pytest.raises(OutOfMemory, match="not even the smallest context") as caught:
        check_fits(spec(), SMOLLM2, free_bytes=98_362_432)
    assert caught.value.context["fitting_context_length"] is None


def test_the_fitting_context_stops_at_what_the_model_was_trained_for() -> None:
    assert plan_memory(spec(), SMOLLM2, free_bytes=10**12).fitting_context_length == 8192


def test_a_silent_header_counts_weights_only(caplog: pytest.LogCaptureFixture) -> None:
    plan = plan_memory(spec(), ModelFacts(weights_bytes=1000), free_bytes=10**9)
    assert plan.kv_cache_bytes == 0
    assert plan.fitting_context_length == 2048
    assert "silent about its shape" in caplog.text


def test_vllm_on_a_cpu_keeps_its_cache_in_float32() -> None:
    facts = ModelFacts(weights_bytes=1000, n_layers=2, n_kv_heads=3, head_size=4, n_vocabulary=10)
    on_cpu = ModelSpec(id="a", engine="vllm", path="/a", context_length=128, parallel=1)  # type: ignore[arg-type]
    on_gpu = ModelSpec(id="a", engine="vllm", path="/a", context_length=128, parallel=1, gpus=1)  # type: ignore[arg-type]
    assert plan_memory(on_cpu, facts, free_bytes=0).kv_cache_bytes == 2 * 2 * 3 * 4 * 4 * 128
    assert plan_memory(on_gpu, facts, free_bytes=0).kv_cache_bytes == 2 * 2 * 3 * 4 * 2 * 128
