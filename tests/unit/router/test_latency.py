from typing import Any

import pytest

from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.contracts.routing import Outcome
from neuroforge.router.latency import (
    FAILURE_HALF_LIFE_S,
    PRIOR_N_TOKENS,
    PRIOR_S_PER_TOKEN,
    PRIOR_TTFT_S,
    TRUST_HALF_LIFE_S,
    LatencyEstimator,
)
from tests.fakes import FakeClock, endpoint

A, B = endpoint("a", parallel=2), endpoint("b", parallel=2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def estimator(clock: FakeClock) -> LatencyEstimator:
    return LatencyEstimator(clock)


def outcome(model_id: str = "a", **changes: Any) -> Outcome:
    """0.2 s to the first token, then 10 tokens in 1 s."""
    values: dict[str, Any] = {
        "decision_id": "d",
        "request_id": "r",
        "model_id": model_id,
        "policy": "auto",
        "status": 200,
        "n_completion_tokens": 10,
        "ttft_s": 0.2,
        "latency_s": 1.2,
    }
    return Outcome(**{**values, **changes})


def expected_s(estimator: LatencyEstimator, *models: ModelEndpoint, max_tokens: int | None = None) -> list[Any]:
    return [pytest.approx(value) for value in estimator.expected_latencies_s(list(models), max_tokens)]


def test_without_data_all_models_are_equal(estimator: LatencyEstimator) -> None:
    prior_s = PRIOR_TTFT_S + PRIOR_S_PER_TOKEN * PRIOR_N_TOKENS
    assert expected_s(estimator, A, B) == [prior_s, prior_s]


def test_a_streamed_answer_gives_first_token_and_rate(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    assert expected_s(estimator, A) == [0.2 + 10 * 0.1]


def test_max_tokens_shortens_what_is_expected(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    assert expected_s(estimator, A, max_tokens=5) == [0.2 + 5 * 0.1]


def test_an_answer_that_was_not_streamed_uses_the_known_first_token(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    estimator.learn(outcome(ttft_s=None, latency_s=2.2))
    assert expected_s(estimator, A) == [0.2 + 10 * 0.15]


def test_short_answers_that_took_long_to_read_say_nothing_of_long_ones(estimator: LatencyEstimator) -> None:
    for n_prompt, n_tokens in [(300, 2), (200, 150), (80, 20)] * 10:
        total_s = 0.01 * n_prompt + 0.05 * n_tokens
        estimator.learn(outcome(ttft_s=None, n_prompt_tokens=n_prompt, n_completion_tokens=n_tokens, latency_s=total_s))
    (speed,) = estimator.expected_speeds([A])
    assert speed.latency_s(150) == pytest.approx(0.01 * (300 + 200 + 80) / 3 + 0.05 * 150, rel=0.05)
    assert speed.s_per_prompt_token == pytest.approx(0.01, rel=0.1)


def test_an_embedding_has_only_a_total(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome(ttft_s=None, n_completion_tokens=0, latency_s=0.3))
    assert expected_s(estimator, A) == [0.3]


def test_new_answers_count_a_fifth(estimator: LatencyEstimator) -> None:
    for _ in range(5):
        estimator.learn(outcome(n_completion_tokens=0, ttft_s=1.0))
    estimator.learn(outcome(n_completion_tokens=0, ttft_s=2.0))
    assert expected_s(estimator, A) == [1.2]


def test_a_model_never_tried_counts_as_the_fastest_known(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    assert expected_s(estimator, A, B) == [1.2, 1.2]


def test_engine_statistics_are_the_prior(estimator: LatencyEstimator) -> None:
    stats = EngineStats(slots_total=2, slots_busy=0, queued=0, ttft_s=0.1, s_per_token=0.01)
    assert expected_s(estimator, endpoint("a", stats=stats)) == [0.1 + PRIOR_N_TOKENS * 0.01]


def test_own_observations_replace_the_prior(estimator: LatencyEstimator) -> None:
    stats = EngineStats(slots_total=2, slots_busy=0, queued=0, ttft_s=9.0, s_per_token=9.0)
    estimator.learn(outcome())
    assert expected_s(estimator, endpoint("a", stats=stats)) == [1.2]


def test_a_free_slot_costs_nothing_and_a_queue_a_share_of_a_round(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    latencies = []
    for _ in range(4):
        latencies += estimator.expected_latencies_s([A], None)
        estimator.started("a")
    assert latencies == [pytest.approx(1.2 * factor) for factor in (1.0, 1.0, 1.5, 2.0)]


def test_finished_frees_the_queue(estimator: LatencyEstimator) -> None:
    estimator.started("a")
    estimator.finished("a")
    assert estimator.n_in_flight("a") == 0


def test_load_of_other_gateways_is_what_exceeds_our_own(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    estimator.started("a")
    stats = EngineStats(slots_total=2, slots_busy=2, queued=1)
    assert expected_s(estimator, endpoint("a", parallel=2, stats=stats)) == [1.2 * 2.0]


def test_stale_statistics_of_our_own_load_do_not_count_twice(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    estimator.started("a")
    estimator.started("a")
    estimator.finished("a")
    stats = EngineStats(slots_total=2, slots_busy=2, queued=0)
    assert expected_s(estimator, endpoint("a", parallel=2, stats=stats)) == [1.2]


def test_a_copy_of_old_statistics_is_no_news(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    models = [endpoint("a", stats=EngineStats(slots_total=4, slots_busy=4, queued=0)) for _ in range(3)]
    for _ in range(4):
        estimator.started("a")
    estimator.expected_latencies_s(models[:1], None)
    for _ in range(4):
        estimator.finished("a")
    estimator.expected_latencies_s(models[1:2], None)
    assert expected_s(estimator, models[2]) == [1.2]


def test_a_failure_counts_as_tries_that_must_be_repeated(estimator: LatencyEstimator) -> None:
    estimator.learn(outcome())
    estimator.learn(outcome(status=503))
    assert expected_s(estimator, A) == [1.2 / 0.8]


def test_a_failure_is_half_forgotten_after_its_half_life(estimator: LatencyEstimator, clock: FakeClock) -> None:
    estimator.learn(outcome(status=503))
    clock.advance(FAILURE_HALF_LIFE_S)
    prior_s = PRIOR_TTFT_S + PRIOR_S_PER_TOKEN * PRIOR_N_TOKENS
    assert expected_s(estimator, A) == [prior_s / 0.9]


@pytest.mark.parametrize("status", [400, 404, 499])
def test_refused_and_cancelled_requests_teach_nothing(estimator: LatencyEstimator, status: int) -> None:
    before = expected_s(estimator, A)
    estimator.learn(outcome(status=status))
    assert expected_s(estimator, A) == before


def test_a_slow_model_is_tried_again_after_a_while(estimator: LatencyEstimator, clock: FakeClock) -> None:
    estimator.learn(outcome("b", n_completion_tokens=0, ttft_s=9.0))
    clock.advance(TRUST_HALF_LIFE_S)
    estimator.learn(outcome("a", n_completion_tokens=0, ttft_s=1.0))
    assert expected_s(estimator, A, B) == [1.0, 0.5 * 9.0 + 0.5 * 1.0]
