import pytest

from neuroforge.contracts.routing import UtilityWeights
from neuroforge.router.utility import WEIGHTS_BY_POLICY, weigh
from tests.unit.router.weighing import prediction

PLAIN = UtilityWeights()
GOOD = prediction("good", quality=0.8, latency_s=12.0, cost_usd=0.03)
FAIR = prediction("fair", quality=0.7, latency_s=2.0, cost_usd=0.01)


def test_utility_is_quality_less_cost_latency_and_prefix() -> None:
    weights = UtilityWeights(quality=2.0, cost_per_usd=10.0, latency_per_s=0.1, target_latency_s=2.0)
    (terms,) = weigh([GOOD], [3.0], "auto", weights)
    assert (terms.quality, terms.cost, terms.latency, terms.prefix) == pytest.approx((1.6, 0.3, 1.0, 0.3))
    assert terms.total == pytest.approx(0.0)


def test_latency_within_the_target_costs_nothing() -> None:
    (terms,) = weigh([FAIR], [0.0], "auto", PLAIN)
    assert terms.latency == 0.0


def test_cost_is_relative_to_the_candidates_mean() -> None:
    dear, cheap = weigh([GOOD, FAIR], [0.0, 0.0], "auto:cheap", PLAIN)
    share = WEIGHTS_BY_POLICY["auto:cheap"].cost_share
    assert (dear.cost, cheap.cost) == pytest.approx((1.5 * share, 0.5 * share))


def test_where_nothing_has_a_price_cheap_means_the_machines_time() -> None:
    free = [prediction("slow", latency_s=3.0), prediction("quick", latency_s=1.0)]
    slow, quick = weigh(free, [0.0, 0.0], "auto:cheap", PLAIN)
    assert slow.cost == pytest.approx(3 * quick.cost)
    assert weigh(free, [0.0, 0.0], "auto", PLAIN)[0].cost == 0.0


def test_best_looks_at_quality_alone() -> None:
    assert [one.total for one in weigh([GOOD, FAIR], [9.0, 0.0], "auto:best", PLAIN)] == [0.8, 0.7]


@pytest.mark.parametrize(
    ("policy", "winner"), [("auto", "fair"), ("auto:best", "good"), ("auto:fast", "fair"), ("auto:cheap", "fair")]
)
def test_each_policy_has_its_winner(policy: str, winner: str) -> None:
    models = [prediction("good", quality=0.74, latency_s=12.0, cost_usd=0.03), FAIR]
    terms = weigh(models, [0.0, 0.0], policy, PLAIN)
    assert max(zip(terms, models, strict=True), key=lambda pair: pair[0].total)[1].model_id == winner
