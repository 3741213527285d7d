from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroforge.contracts.models import Price
from neuroforge.contracts.routing import Outcome
from neuroforge.contracts.rules import QualityPrior, RoutingRules
from neuroforge.contracts.tasks import TASK_TYPES, TaskProfile
from neuroforge.router.basis import N_TASKS, newcomer_variances
from neuroforge.router.belief import Belief
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.hierarchy import Newcomers
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.predict import Asked, PerformancePredictor
from neuroforge.router.rules import RulesView
from neuroforge.router.surface import N_SURFACE
from tests.fakes import FakeClock, endpoint, routing_request
from tests.unit.router.weighing import N_BASIS, belief, posterior

PROFILE = TaskProfile(
    task_type="code",
    probability_by_task=dict.fromkeys(TASK_TYPES, 0.1),
    complexity=0.5,
    language="en",
    n_prompt_tokens=1000,
    n_output_tokens=100.0,
)
FEATURES = FeatureMatrix(
    np.zeros((1, 64), dtype=np.float32),
    np.zeros((1, N_SURFACE), dtype=np.float32),
    np.zeros(0, dtype=np.int32),
    np.zeros(2, dtype=np.int64),
)


@dataclass
class FakeQuality:
    quality: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    std: NDArray[np.float64]


class FakeFitted:
    """Knows `a` at 0.8 and `b` at 0.4."""

    model_ids = ("a", "b")
    tasks = ("cluster-0", "cluster-1")

    def predict(self, features: FeatureMatrix) -> FakeQuality:
        quality = np.array([[0.8, 0.4]])
        return FakeQuality(quality, quality - 0.3, quality + 0.2, np.array([[0.05, 0.1]]))

    def basis(self, features: FeatureMatrix) -> NDArray[np.float64]:
        return np.zeros((1, N_BASIS - 1 - N_TASKS - len(self.model_ids)))


@pytest.fixture
def estimator() -> LatencyEstimator:
    return LatencyEstimator(FakeClock())


def predict(estimator: LatencyEstimator, known: Belief, *models: Any, **request: Any) -> Any:
    predictor = PerformancePredictor(estimator, OutputLengths())
    return predictor.predict_all(
        Asked(routing_request(**request), PROFILE, FEATURES, np.eye(N_BASIS)[0]), list(models), known
    )


def with_fit(*scores: tuple[str, float]) -> Belief:
    online = posterior(list(scores)) if scores else None
    unlearned = posterior() if scores else None
    return Belief(1, RulesView(RoutingRules()), fitted=FakeFitted(), online=online, unlearned=unlearned)


def test_a_fit_tells_quality_interval_and_deviation(estimator: LatencyEstimator) -> None:
    b, a = predict(estimator, with_fit(), endpoint("b"), endpoint("a")).predictions
    assert (a.quality, a.quality_low, a.quality_high, a.quality_std) == pytest.approx((0.8, 0.5, 1.0, 0.05))
    assert b.quality == pytest.approx(0.4)


def test_a_model_that_the_fit_does_not_know_starts_from_its_prior(estimator: LatencyEstimator) -> None:
    rules = RoutingRules(priors=(QualityPrior(model_id="new", quality=0.7),))
    known = Belief(1, RulesView(rules), fitted=FakeFitted())
    (new,) = predict(estimator, known, endpoint("new")).predictions
    assert (new.quality, new.quality_low < 0.3, new.quality_high) == (0.7, True, 1.0)


def test_beside_known_models_a_new_one_starts_from_their_mean(estimator: LatencyEstimator) -> None:
    (new,) = predict(estimator, with_fit(), endpoint("new")).predictions
    assert new.quality == pytest.approx(0.6)


def test_a_few_outcomes_move_a_new_model_further_than_a_known_one(estimator: LatencyEstimator) -> None:
    narrow, newcomers = np.full(N_BASIS, 0.05**2), Newcomers(frozenset({"a", "b"}), newcomer_variances(N_BASIS, 2))
    online, unlearned = (OnlinePosterior(narrow, newcomers=newcomers) for _ in range(2))
    known = Belief(1, RulesView(RoutingRules()), fitted=FakeFitted(), online=online, unlearned=unlearned)
    for model_id in ("b", "new"):
        for number in range(4):
            online.update(model_id, np.eye(N_BASIS)[0], 0.1, at_s=float(number))
    b, new = predict(estimator, known, endpoint("b"), endpoint("new")).predictions
    assert new.quality - 0.6 > 2 * (b.quality - 0.4) > 0


def test_outcomes_correct_the_quality_and_narrow_it(estimator: LatencyEstimator) -> None:
    before = predict(estimator, with_fit(), endpoint("a"), endpoint("b"))
    after = predict(estimator, with_fit(("a", -0.3)), endpoint("a"), endpoint("b"))
    assert after.predictions[0].quality == pytest.approx(0.5, abs=0.05)
    assert after.predictions[0].quality_std < before.predictions[0].quality_std
    assert after.predictions[0].n_outcomes == 200
    assert abs(after.predictions[1].quality - 0.4) < abs(after.predictions[0].quality - 0.8)
    assert after.base_quality == pytest.approx([0.8, 0.4])


def test_a_correction_never_leaves_the_scale(estimator: LatencyEstimator) -> None:
    (a,) = predict(estimator, with_fit(("a", 0.9)), endpoint("a")).predictions
    assert (a.quality, a.quality_high) == (1.0, 1.0)


def test_latency_and_cost_follow_from_length_price_and_live_speed(estimator: LatencyEstimator) -> None:
    told = {"decision_id": "d", "request_id": "r", "model_id": "a", "policy": "auto", "status": 200}
    estimator.learn(Outcome(**told, n_completion_tokens=10, n_prompt_tokens=50, ttft_s=0.5, latency_s=1.5))
    price = Price(input_usd_per_million=1.0, output_usd_per_million=10.0)
    found = predict(estimator, belief(), endpoint("a", price=price))
    (a,) = found.predictions
    assert (a.n_output_tokens, a.ttft_s, a.s_per_token) == pytest.approx((100, 0.5, 0.1))
    assert a.latency_s == pytest.approx(0.5 + 100 * 0.1)
    assert a.cost_usd == pytest.approx((1000 * 1.0 + 100 * 10.0) / 1e6)
    assert found.speeds[0].s_per_prompt_token == pytest.approx(0.01)


def test_a_queue_makes_it_slower(estimator: LatencyEstimator) -> None:
    model = endpoint("a", parallel=1)
    idle = predict(estimator, belief(), model).predictions[0].latency_s
    estimator.started("a")
    assert predict(estimator, belief(), model).predictions[0].latency_s == pytest.approx(2 * idle)


def test_max_tokens_shortens_the_answer(estimator: LatencyEstimator) -> None:
    (a,) = predict(estimator, belief(), endpoint("a"), max_tokens=7).predictions
    assert a.n_output_tokens == 7


def test_a_model_never_tried_counts_as_the_fastest_known(estimator: LatencyEstimator) -> None:
    told = {"decision_id": "d", "request_id": "r", "model_id": "a", "policy": "auto", "status": 200}
    estimator.learn(Outcome(**told, n_completion_tokens=10, ttft_s=0.1, latency_s=0.2))
    a, b = predict(estimator, belief(), endpoint("a"), endpoint("b")).predictions
    assert (a.ttft_s, a.s_per_token) == (b.ttft_s, b.s_per_token)
