import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as kappa_of

from neuroforge.errors import DataError
from neuroforge.statistics.agreement import agreeing_share, cohens_kappa, self_agreement


def test_kappa_equals_statsmodels() -> None:
    """25 patients by two raters: 20, 5, 10, 15 of 50 (kappa .4)."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    interval, theirs = cohens_kappa(first, second), kappa_of(np.array([[20, 5], [10, 15]]))
    assert interval.mean == pytest.approx(0.4, abs=1e-9)
    assert (interval.low, interval.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=1e-6)
    assert interval.n == 50


def test_kappa_is_the_same_with_the_raters_swapped() -> None:
    first, second = ["a", "b", "c", "a", "b"], ["a", "b", "a", "a", "c"]
    assert cohens_kappa(first, second) == cohens_kappa(second, first)


@pytest.mark.parametrize(("first", "second"), [([], []), (["a"], []), (["a", "a"], ["a", "a"])])
def test_labels_without_a_kappa_are_refused(first: list[str], second: list[str]) -> None:
    with pytest.raises(DataError):
        cohens_kappa(first, second)


def test_pairs_of_answers_are_counted() -> None:
    assert agreeing_share(["a", "a", "b"]) == pytest.approx(1 / 3)
    assert agreeing_share(["a", "a"]) == 1.0
    assert agreeing_share(["a"]) is None


def test_items_answered_once_say_nothing_about_agreement() -> None:
    interval = self_agreement([["a", "a"], ["b"], ["c", "d"]], rng=np.random.default_rng(0))
    assert (interval.mean, interval.n) == (0.5, 2)


def test_nothing_answered_twice_is_refused() -> None:
    with pytest.raises(DataError, match="repeats"):
        self_agreement([["a"], []], rng=np.random.default_rng(0))


def test_a_rater_who_never_varies_agrees_as_chance_would() -> None:
    found = cohens_kappa([1, 1, 1], [1, 1, -1])
    assert (found.mean, found.low, found.high) == (0.0, -1.0, 1.0)
