from neuroforge.contracts.analysis import MetricSummary
from neuroforge.contracts.rules import Estimate
from neuroforge.experiments.analysis.across import compare_across


def told(dataset: str, **means: float) -> list[MetricSummary]:
    return [
        MetricSummary(
            variant_id=one,
            metric="quality",
            dataset=dataset,
            estimate=Estimate(mean=mean, low=mean, high=mean, n=9),
            method="by hand",
            n_scored=9,
        )
        for one, mean in means.items()
    ]


def test_the_same_order_on_six_datasets_is_shown() -> None:
    summaries = [one for name in "uvwxyz" for one in told(name, a=0.9, b=0.5, c=0.1)]
    # chi-square = 12 n / (k (k + 1)) (sum of mean ranks^2 - k (k + 1)^2 / 4) = 6 (14 - 12) = 12, p = exp(-6)
    assert compare_across(["a", "b", "c"], summaries) == (
        "Mean ranks over 6 datasets: a 1.00, b 2.00, c 3.00. Friedman's test: p=0.00248; "
        "Nemenyi's test (critical difference 1.35) separates a before c."
    )


def test_two_datasets_seldom_show_anything() -> None:
    found = compare_across(["a", "b", "c"], [*told("x", a=0.9, b=0.5, c=0.1), *told("y", a=0.1, b=0.5, c=0.9)])
    assert found is not None
    assert "no difference across datasets shown" in found


def test_a_dataset_that_one_variant_lacks_does_not_count() -> None:
    assert compare_across(["a", "b", "c"], [*told("x", a=0.9, b=0.5, c=0.1), *told("y", a=0.9, b=0.5)]) is None


def test_two_variants_are_compared_in_pairs_only() -> None:
    assert compare_across(["a", "b"], [*told("x", a=0.9, b=0.5), *told("y", a=0.9, b=0.5)]) is None
