from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import fdrcorrection, multipletests

from neuroforge.errors import DataError
from neuroforge.statistics.multiple import benjamini_hochberg, holm, spend_alpha

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_benjamini_hochberg_rejects_what_the_source_rejects() -> None:
    """Benjamini and Hochberg (1995), section 4.1: four of fifteen at 5 %, where Bonferroni and Holm reject three."""
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    assert (benjamini_hochberg(published) <= 0.05).sum() == 4
    assert (holm(published) <= 0.05).sum() == 3


@settings(max_examples=50, deadline=None)
@given(P_VALUES)
def test_adjusted_p_values_are_never_smaller_nor_out_of_order(p_values: list[float]) -> None:
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(p <= q + 1e-12 and q <= 1 for p, q in zip(p_values, adjusted, strict=True))
        assert all(adjusted[one] <= adjusted[other] + 1e-12 for one, other in pairwise(order))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closed_bonferroni_test(p_values: list[float]) -> None:
    """By definition: the largest Bonferroni p-value of all subfamilies that hold the hypothesis."""
    members = range(len(p_values))
    families = [one for size in range(1, len(p_values) + 1) for one in combinations(members, size)]
    bonferroni = {one: min(1.0, len(one) * min(p_values[k] for k in one)) for one in families}
    closed = [max(p for one, p in bonferroni.items() if k in one) for k in members]
    assert holm(p_values) == pytest.approx(closed, abs=1e-12)


@settings(deadline=None)
@given(P_VALUES)
def test_benjamini_hochberg_equals_statsmodels(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(fdrcorrection(p_values)[1], abs=1e-9)


def test_holm_equals_statsmodels_for_a_large_family_with_ties() -> None:
    """Once, for `multipletests` collects garbage on each call."""
    p_values = np.round(np.random.default_rng(5).random(500) ** 4, 3)
    assert len(set(p_values)) < len(p_values)
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


def test_an_empty_family_stays_empty() -> None:
    assert holm([]).tolist() == benjamini_hochberg([]).tolist() == []


def test_the_levels_of_a_family_that_grows_stay_below_alpha_together() -> None:
    levels = [spend_alpha(0.06, number) for number in range(1, 1001)]
    assert levels[:3] == pytest.approx([0.03, 0.01, 0.005])
    assert 0.059 < sum(levels) < 0.06


def test_tests_are_numbered_from_one() -> None:
    with pytest.raises(DataError, match="numbered from 1; got 0"):
        spend_alpha(0.05, 0)


@pytest.mark.parametrize("p_values", [[1.2], [-0.1, 0.5], [float("nan")], [[0.1]]])
def test_what_is_no_p_value_is_refused(p_values: list[float]) -> None:
    with pytest.raises(DataError):
        holm(p_values)
