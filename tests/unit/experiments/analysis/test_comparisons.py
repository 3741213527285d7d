import numpy as np
import pytest

from neuroforge.experiments.analysis.comparisons import compare_pairs
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.analysis.summaries import Scope
from tests.unit.experiments.analysis.tables import quality

NAN = float("nan")


def everything(metric: Metric) -> list[tuple[Scope, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    return [(Scope(), np.ones(len(metric.values), dtype=np.bool_))]


def test_ten_wins_and_no_loss_by_exact_mcnemar() -> None:
    metric = quality([1] * 30, [0] * 10 + [1] * 20)
    (found,) = compare_pairs(metric, ["a", "b"], everything(metric), [], seed=0)
    assert found.test == "exact McNemar"
    assert found.p_value == pytest.approx(2 * 0.5**10)
    assert (found.n_wins, found.n_losses, found.n_ties) == (10, 0, 20)
    assert found.difference.mean == pytest.approx(1 / 3)
    assert found.verdict == "a_better"
    assert found.n_needed is None


def test_only_items_that_both_answered_are_paired() -> None:
    metric = quality([1, 1, NAN, 0], [0, NAN, 1, 0])
    (found,) = compare_pairs(metric, ["a", "b"], everything(metric), [], seed=0)
    assert found.difference.n == 2


def test_planned_pairs_are_corrected_by_holm_and_the_others_by_false_discoveries() -> None:
    metric = quality([1] * 30, [0] * 10 + [1] * 20, [1] * 30)
    found = compare_pairs(metric, ["a", "b", "c"], everything(metric), [("b", "a")], seed=0)
    assert [(one.a, one.b, one.family, one.correction) for one in found] == [
        ("b", "a", "planned", "holm over 1"),
        ("a", "c", "exploratory", "benjamini-hochberg over 2"),
        ("b", "c", "exploratory", "benjamini-hochberg over 2"),
    ]
    p = 2 * 0.5**10
    assert [one.p_adjusted for one in found] == pytest.approx([p, 1.0, 2 * p])


def test_slices_are_exploratory_families_of_their_own() -> None:
    metric = quality([1] * 30, [0] * 10 + [1] * 20)
    first = np.arange(30) < 15
    scoped = [*everything(metric), (Scope(dataset="x"), first), (Scope(dataset="y"), ~first)]
    found = compare_pairs(metric, ["a", "b"], scoped, [("a", "b")], seed=0)
    assert [one.correction for one in found] == ["holm over 1", *["benjamini-hochberg over 2"] * 2]
    assert found[1].p_adjusted == pytest.approx(2 * 2 * 0.5**10)
    assert found[2].p_adjusted == 1


def test_lower_latency_is_better() -> None:
    values = np.array([[1.0 + 0.01 * row, 2.0 + 0.02 * row] for row in range(20)])
    metric = Metric("latency_s", "speed", values, np.arange(20), is_higher_better=False)
    (found,) = compare_pairs(metric, ["a", "b"], everything(metric), [], seed=0)
    assert found.difference.mean < 0
    assert (found.verdict, found.n_wins, found.n_losses) == ("a_better", 20, 0)
    assert found.sentence.startswith("a is faster than b by 1.10 s")


def test_nothing_in_common_is_no_comparison() -> None:
    metric = quality([1, NAN], [NAN, 1])
    assert compare_pairs(metric, ["a", "b"], everything(metric), [], seed=0) == []


def test_a_difference_that_is_not_shown_says_what_it_would_take() -> None:
    metric = quality([1] * 6 + [0] * 4 + [1] * 40, [0] * 6 + [1] * 4 + [1] * 40)
    (found,) = compare_pairs(metric, ["a", "b"], everything(metric), [], seed=0)
    assert found.verdict == "no_difference_shown"
    assert found.n_needed is not None
    assert found.sentence == (
        f"no difference shown between a and b at n=50; one of the size seen would need about {found.n_needed:,}"
    )


def test_a_pair_gives_the_same_numbers_beside_others() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.random((3, 25)).tolist()
    alone, beside = quality(a, b), quality(c, b, a)
    (expected,) = compare_pairs(alone, ["a", "b"], everything(alone), [("a", "b")], seed=5)
    found = compare_pairs(beside, ["c", "b", "a"], everything(beside), [("a", "b")], seed=5)
    assert next(one for one in found if one.family == "planned") == expected
