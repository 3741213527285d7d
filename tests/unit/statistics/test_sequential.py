import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from neuroforge.errors import DataError
from neuroforge.statistics.bestarm import choose_arm, choose_arms, find_best_arm, find_shares, optimal_shares
from neuroforge.statistics.sequential import (
    ArmState,
    compare_arms,
    log_e_above,
    log_e_difference,
    log_e_mean,
    mean_sequence,
    paired_sequence,
)

SCORES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)


def state_of(scores: object) -> ArmState:
    state = ArmState()
    for score in np.asarray(scores, dtype=float).tolist():
        state = state.add(score)
    return state


def mixture_by_integral(scores: list[float], mean: float) -> float:
    """Krichevsky and Trofimov's mixture from its definition: bets on every q, weighted by the arcsine law."""

    def gain(angle: float) -> float:
        q = np.sin(angle) ** 2
        return float(np.prod([(q / mean) ** x * ((1 - q) / (1 - mean)) ** (1 - x) for x in scores]))

    return quad(gain, 0, np.pi / 2)[0] * 2 / np.pi


def bernstein_by_hand(scores: list[float], mean: float) -> float:
    """Waudby-Smith and Ramdas, theorem 2 and equations 13 to 15, step by step; half the capital on either side."""
    up = down = 0.0
    for i, x in enumerate(scores, 1):
        past = scores[: i - 1]
        running = [(0.5 + sum(past[:j])) / (j + 1) for j in range(1, i)]
        variance = (0.25 + sum((y - m) ** 2 for y, m in zip(past, running, strict=True))) / i
        bet = min(np.sqrt(2 * np.log(40) / (variance * i * np.log(i + 1))), 0.5)
        cost = 4 * (x - (0.5 + sum(past)) / i) ** 2 * (-np.log(1 - bet) - bet) / 4
        up, down = up + bet * (x - mean) - cost, down - bet * (x - mean) - cost
    return float((np.exp(up) + np.exp(down)) / 2)


def test_the_e_process_is_the_mean_of_both_gamblers() -> None:
    scores = [1.0, 0.25, 0.0, 1.0, 0.5, 0.75]
    expected = (mixture_by_integral(scores, 0.3) + bernstein_by_hand(scores, 0.3)) / 2
    assert np.exp(log_e_mean(state_of(scores), 0.3)) == pytest.approx(expected, rel=1e-6)


def test_two_arms_are_judged_at_the_means_that_suit_the_hypothesis_best() -> None:
    a, b = [1.0, 1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]

    def least(of: object) -> float:
        return float(
            minimize_scalar(lambda m: of(a, m + 0.1) * of(b, m), (0, 0.9), bounds=(0, 0.9), method="bounded").fun
        )

    expected = (least(mixture_by_integral) + least(bernstein_by_hand)) / 2
    assert np.exp(log_e_difference(state_of(a), state_of(b), 0.1)) == pytest.approx(expected, rel=1e-5)


def test_states_of_many_runs_go_through_at_once() -> None:
    scores = np.random.default_rng(0).random((30, 4))
    together = ArmState()
    for row in scores:
        together = together.add(row)
    alone = [log_e_mean(state_of(column), 0.4) for column in scores.T]
    assert log_e_mean(together, 0.4) == pytest.approx(np.array(alone), abs=1e-9)


def test_a_state_survives_json() -> None:
    state = state_of([0.2, 1.0, 0.0])
    assert ArmState(**json.loads(json.dumps(asdict(state)))).add(0.5) == state.add(0.5)


@settings(max_examples=30, deadline=None)
@given(SCORES)
def test_the_mean_lies_inside_its_sequence(scores: list[float]) -> None:
    interval = mean_sequence(state_of(scores))
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1


@settings(max_examples=10, deadline=None)
@given(SCORES, SCORES)
@example([1.0000000036274937e-15], [0.75])
def test_swapping_the_arms_turns_the_sign(a: list[float], b: list[float]) -> None:
    one, other = compare_arms(state_of(a), state_of(b)), compare_arms(state_of(b), state_of(a))
    assert one.p_value == pytest.approx(other.p_value, abs=1e-6)
    assert one.difference.low == pytest.approx(-other.difference.high, abs=1e-6)
    assert -1 <= one.difference.low <= one.difference.mean <= one.difference.high <= 1


@pytest.mark.parametrize(("a", "b"), [([1.0], [0.0]), ([0.0], [0.0]), ([1.0] * 500, [0.0] * 500)])
def test_scores_at_the_ends_of_the_scale_give_intervals_too(a: list[float], b: list[float]) -> None:
    difference = compare_arms(state_of(a), state_of(b)).difference
    assert -1 <= difference.low <= difference.mean <= difference.high <= 1


def test_the_p_value_and_the_sequence_agree() -> None:
    rng = np.random.default_rng(4)
    a, b = state_of(rng.random(400) < 0.62), state_of(rng.random(300) < 0.5)
    result = compare_arms(a, b)
    assert (result.p_value <= 0.05) == (result.difference.low > 0)
    assert float(log_e_difference(a, b, result.difference.low)) == pytest.approx(np.log(20), abs=1e-6)


def test_a_plain_difference_is_found() -> None:
    rng = np.random.default_rng(4)
    result = compare_arms(state_of(rng.random(500) < 0.8), state_of(rng.random(500) < 0.5))
    assert result.p_value < 1e-6
    assert result.difference.low > 0.1


def test_graded_scores_of_little_spread_need_fewer_requests_than_coins() -> None:
    rng = np.random.default_rng(4)
    graded = state_of(np.clip(0.7 + 0.05 * rng.standard_normal(300), 0, 1))
    coins = state_of(rng.random(300) < 0.7)
    narrow, wide = mean_sequence(graded), mean_sequence(coins)
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)


def test_shadow_pairs_are_compared_by_their_differences() -> None:
    differences = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 1.0] * 60)
    result = paired_sequence(state_of((1 + differences) / 2))
    assert result.difference.mean == pytest.approx(0.25)
    assert result.difference.low > 0
    assert result.p_value < 0.05


@pytest.mark.parametrize("score", [-0.1, 1.1, np.nan])
def test_scores_outside_the_scale_are_refused(score: float) -> None:
    with pytest.raises(DataError):
        ArmState().add(score)


def test_nothing_is_said_before_the_first_score() -> None:
    with pytest.raises(DataError):
        mean_sequence(ArmState())
    with pytest.raises(DataError):
        compare_arms(state_of([1.0]), ArmState())


def test_the_arm_below_has_no_evidence_that_it_is_above() -> None:
    a, b = state_of([0.0, 0.1] * 50), state_of([1.0, 0.9] * 50)
    assert log_e_above(a, b) == -np.inf
    assert log_e_above(b, a) == pytest.approx(float(log_e_difference(b, a, 0.0)))


def test_two_arms_are_sampled_nearly_alike() -> None:
    assert optimal_shares([0.5, 0.4]) == pytest.approx([0.5, 0.5], abs=0.01)


def test_the_shares_are_those_that_maximise_the_least_evidence() -> None:
    """Theorem 5 against a search over the simplex; the shares are those published in its section 6."""
    means = np.array([0.5, 0.45, 0.43, 0.4])

    def least(shares: np.ndarray) -> float:
        costs = []
        for a in range(1, 4):
            between = (shares[0] * means[0] + shares[a] * means[a]) / (shares[0] + shares[a])
            costs.append(shares[0] * divergence(means[0], between) + shares[a] * divergence(means[a], between))
        return min(costs)

    ours = optimal_shares(means)
    assert ours.sum() == pytest.approx(1.0)
    assert ours == pytest.approx([0.417, 0.390, 0.136, 0.057], abs=2e-3)
    rng = np.random.default_rng(0)
    assert all(least(one) <= least(ours) + 1e-12 for one in rng.dirichlet(200 * ours, 2000))


def divergence(p: float, q: float) -> float:
    return float(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))


def test_shares_of_many_sets_go_through_at_once() -> None:
    means = np.random.default_rng(1).random((5, 3))
    together = optimal_shares(means)
    assert together == pytest.approx(np.array([optimal_shares(one) for one in means]), abs=1e-9)


def test_equal_arms_are_sampled_alike() -> None:
    assert optimal_shares([0.5, 0.5]) == pytest.approx([0.5, 0.5], abs=0.01)


def test_the_arm_furthest_behind_its_share_is_next_and_none_starves() -> None:
    assert choose_arm([0.5, 0.3, 0.2], [0, 0, 0]) == 0
    assert choose_arm([0.5, 0.3, 0.2], [50, 20, 30]) == 1
    assert choose_arm([0.5, 0.5, 0.0], [60, 60, 5]) == 2


def test_many_tests_choose_at_once() -> None:
    counts = np.array([[0, 0, 0], [50, 20, 30], [60, 60, 5]])
    assert choose_arms([[0.5, 0.3, 0.2]] * 2 + [[0.5, 0.5, 0.0]], counts).tolist() == [0, 1, 2]


def test_the_best_arm_is_named_once_it_is_known() -> None:
    rng = np.random.default_rng(3)
    arms = [state_of(rng.random(400) < p) for p in (0.4, 0.8, 0.5)]
    found = find_best_arm(arms)
    assert (found.leader, found.winner) == (1, 1)


def test_shares_are_those_of_the_smoothed_means() -> None:
    arms = [state_of([1.0] * 9), state_of([0.0] * 9)]
    assert find_shares(arms) == tuple(optimal_shares([0.95, 0.05]).tolist())
    assert sum(find_shares(arms)) == pytest.approx(1.0)


def test_early_scores_name_nobody() -> None:
    found = find_best_arm([state_of([1.0]), state_of([0.0]), ArmState()])
    assert (found.leader, found.winner, found.p_value) == (0, None, 1.0)


def test_one_arm_is_no_choice() -> None:
    with pytest.raises(DataError):
        find_best_arm([state_of([1.0])])
    with pytest.raises(DataError):
        optimal_shares([0.5])
    with pytest.raises(DataError):
        optimal_shares([0.5, 1.5])
