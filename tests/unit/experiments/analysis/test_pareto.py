from neuroforge.contracts.analysis import MetricSummary
from neuroforge.contracts.rules import Estimate
from neuroforge.experiments.analysis.pareto import find_pareto


def summary(variant: str, metric: str, mean: float | None) -> MetricSummary:
    estimate = None if mean is None else Estimate(mean=mean, low=mean, high=mean, n=1)
    return MetricSummary(variant_id=variant, metric=metric, estimate=estimate, method="by hand", n_scored=1)


def told(**means: tuple[float, float]) -> list[MetricSummary]:
    """Quality and latency by variant."""
    return [summary(one, name, value) for one, pair in means.items() for name, value in zip(AXES, pair, strict=True)]


AXES = ("quality", "latency_s")


def test_slower_and_worse_is_not_on_the_front() -> None:
    assert find_pareto("abc", told(a=(0.9, 2.0), b=(0.5, 1.0), c=(0.4, 1.5))) == ("a", "b")


def test_equals_are_both_on_the_front() -> None:
    assert find_pareto("ab", told(a=(0.9, 1.0), b=(0.9, 1.0))) == ("a", "b")


def test_an_axis_that_one_lacks_does_not_count() -> None:
    found = [summary("a", "quality", 0.9), summary("b", "quality", 0.5), summary("b", "latency_s", 0.1)]
    assert find_pareto("ab", found) == ("a",)


def test_a_variant_without_quality_is_not_on_the_front() -> None:
    found = [summary("a", "quality", 0.1), summary("b", "quality", None), summary("b", "latency_s", 0.1)]
    assert find_pareto("ab", found) == ("a",)
