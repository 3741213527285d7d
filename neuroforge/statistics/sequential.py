"""Scores of live traffic, one by one -> intervals and tests that hold whenever one looks.

An e-process is what a gambler owns who started with 1 and bet against a hypothesis at fair odds: while the hypothesis
is true, it ever reaches 1 / alpha with probability alpha at most (Ville), however often one looks and whatever made one
send the next request to this arm or that. Two gamblers share the capital here: one who knows only that scores lie in
0..1 (Krichevsky and Trofimov's mixture; best for 0/1 scores) and one who watches their variance (empirical Bernstein;
best for graded scores and paired differences).

All functions work elementwise on states whose fields are arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlogy

from neuroforge.errors import DataError
from neuroforge.statistics.interval import LEVEL, Interval

ALPHA = 1 - LEVEL
_MAX_BET = 0.5
_N_HALVINGS = 34
"""Of an interval of width 1 or 2: exact to 1e-9."""
_EDGE = 1e-15
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ArmState:
    """What is kept of an arm's scores: sums that go to JSON by `dataclasses.asdict` and back by `ArmState(**row)`."""

    n: int = 0
    total: float = 0.0
    """Of the scores, each 0..1."""
    squares: float = 0.0
    """Of each score's distance from the mean up to it."""
    bets: float = 0.0
    """Sum of the bets, one a score."""
    weighted: float = 0.0
    """Sum of bet times score."""
    spent: float = 0.0
    """What the bets have paid for the variance."""

    def add(self, score: float) -> "ArmState":
        """Return the state after one more score.

        Raises:
            DataError: A score outside 0..1: rescale it first (a difference of two scores is (1 + d) / 2).
        Source: Waudby-Smith and Ramdas, JRSS B 86 (2024), arXiv:2010.09686, theorem 2 (predictable plug-in).
        """
        if not np.all((np.asarray(score) >= 0) & (np.asarray(score) <= 1)):
            raise DataError(f"a score of live traffic lies between 0 and 1; got {score}: rescale it first")
        n = self.n + 1
        variance = (0.25 + self.squares) / n
        bet = np.minimum(np.sqrt(2 * np.log(2 / ALPHA) / (variance * n * np.log(n + 1))), _MAX_BET)
        surprise = score - (0.5 + self.total) / n
        mean = (0.5 + self.total + score) / (n + 1)
        return ArmState(
            n=n,
            total=self.total + score,
            squares=self.squares + (score - mean) ** 2,
            bets=self.bets + bet,
            weighted=self.weighted + bet * score,
            spent=self.spent + surprise**2 * (-np.log1p(-bet) - bet),
        )

    @property
    def mean(self) -> float:
        """Of the scores; 0.5 before the first."""
        return self.total / self.n if self.n else 0.5


@dataclass(frozen=True)
class ArmsResult:
    """Arm a less arm b, at this moment."""

    difference: Interval
    """Holds at all times together with 95 %."""
    p_value: float
    """Two-sided. The smallest seen so far is valid too, whatever made one stop."""


def mean_sequence(state: ArmState) -> Interval:
    """Return the mean with a 95 % confidence sequence: with that probability it holds at every moment.

    Raises:
        DataError: No score yet.
    """
    _demand_scores(state)
    centres = np.array([state.mean, state.weighted / state.bets])
    low, high = _find_ends(lambda mean: log_e_mean(state, mean), centres, (0.0, 1.0))
    return Interval(state.mean, min(low, state.mean), max(high, state.mean), state.n, "confidence sequence")


def paired_sequence(state: ArmState) -> ArmsResult:
    """Return how two arms differ that both answered every request (shadow traffic).

    Args:
        state: Of (1 + a's score - b's) / 2, request by request.
    Raises:
        DataError: No score yet.
    """
    of_mean = mean_sequence(state)
    difference = Interval(
        2 * of_mean.mean - 1, 2 * of_mean.low - 1, 2 * of_mean.high - 1, state.n, "paired confidence sequence"
    )
    return ArmsResult(difference, _p_value(log_e_mean(state, 0.5)))


def compare_arms(a: ArmState, b: ArmState) -> ArmsResult:
    """Return how two arms differ that each answered requests of their own, in whatever proportion that was chosen.

    Scores must be independent given the arm: one a session where arms are sticky by session.

    Raises:
        DataError: An arm without a score.
    """
    _demand_scores(a)
    _demand_scores(b)
    mean = a.mean - b.mean
    centres = np.array([mean, a.weighted / a.bets - b.weighted / b.bets])
    low, high = _find_ends(lambda difference: log_e_difference(a, b, difference), centres, (-1.0, 1.0))
    interval = Interval(mean, min(low, mean), max(high, mean), a.n + b.n, "confidence sequence of two arms")
    return ArmsResult(interval, _p_value(log_e_difference(a, b, 0.0)))


def log_e_mean(state: ArmState, mean: Any) -> Floats:
    """Return the logarithm of the e-process against "the mean is `mean`", elementwise."""
    stake = state.weighted - state.bets * mean
    return _shared(_log_mixture(state) - _log_likelihood(state, mean), _log_cosh(stake) - state.spent)


def log_e_difference(a: ArmState, b: ArmState, difference: Any) -> Floats:
    """Return the logarithm of the e-process against "a's mean less b's is `difference`", elementwise.

    Whatever the two means are, the product of the arms' e-processes at them is one; the least over all means that
    differ so is what can be relied on.
    """
    return _shared(*_log_parts(a, b, difference))


def log_e_above(a: ArmState, b: ArmState) -> Floats:
    """Return the logarithm of the e-process against "a's mean is at most b's", elementwise.

    A gambler who sees a at or below b has nothing to show: their part counts as 0.
    """
    mixture, bernstein = _log_parts(a, b, 0.0)
    is_above = np.asarray(a.total * b.n > b.total * a.n)
    is_weighted_above = np.asarray(a.weighted * b.bets > b.weighted * a.bets)
    return _shared(np.where(is_above, mixture, -np.inf), np.where(is_weighted_above, bernstein, -np.inf))


def _log_parts(a: ArmState, b: ArmState, difference: Any) -> tuple[Floats, Floats]:
    """Return what either gambler owns against a difference."""
    low, high = np.maximum(0.0, -np.asarray(difference)), np.minimum(1.0, 1 - np.asarray(difference))

    def likelihood_slope(mean: Floats) -> Floats:
        mean, other = (np.clip(one, _EDGE, 1 - _EDGE) for one in (mean, mean + difference))  # sums may round to 1
        first = a.total / other - (a.n - a.total) / (1 - other)
        return np.asarray(first + b.total / mean - (b.n - b.total) / (1 - mean))

    def stake_slope(mean: Floats) -> Floats:
        first = a.bets * np.tanh(a.weighted - a.bets * (mean + difference))
        return np.asarray(first + b.bets * np.tanh(b.weighted - b.bets * mean))

    likeliest, dearest = _find_root(likelihood_slope, low, high), _find_root(stake_slope, low, high)
    mixture = _log_mixture(a) + _log_mixture(b)
    mixture = mixture - _log_likelihood(a, likeliest + difference) - _log_likelihood(b, likeliest)
    stakes = _log_cosh(a.weighted - a.bets * (dearest + difference)) + _log_cosh(b.weighted - b.bets * dearest)
    return mixture, stakes - a.spent - b.spent


def _log_mixture(state: ArmState) -> Floats:
    """Source: Krichevsky and Trofimov (1981); for scores between 0 and 1 as well, because it is convex in each."""
    return np.asarray(betaln(state.total + 0.5, state.n - state.total + 0.5) - betaln(0.5, 0.5))


def _log_likelihood(state: ArmState, mean: Any) -> Floats:
    mean = np.clip(mean, _EDGE, 1 - _EDGE)  # a root at the very end would make the least score there impossible
    return np.asarray(xlogy(state.total, mean) + xlogy(np.maximum(state.n - state.total, 0.0), 1 - mean))


def _log_cosh(stake: Any) -> Floats:
    """Of a bet on either side with half the capital each."""
    return np.asarray(np.logaddexp(stake, -stake) - np.log(2))


def _shared(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.logaddexp(first, second) - np.log(2))


def _p_value(log_e: Floats) -> float:
    return float(np.exp(-np.maximum(log_e, 0.0)))


def _find_root(slope: Callable[[Floats], Floats], low: Any, high: Any) -> Floats:
    """Halve to where a falling function crosses 0, or to the end where it does not."""
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        rises = slope(middle) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.asarray((low + high) / 2)


def _find_ends(log_e: Callable[[Floats], Floats], centres: Floats, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the span of what the e-process does not exclude at 5 %; beyond both gamblers' centres it only grows."""
    inside = np.clip(np.array([centres.min(), centres.max()]), *limits)
    outside = np.array(limits)
    for _ in range(_N_HALVINGS):
        middle = (inside + outside) / 2
        holds = log_e(middle) < np.log(1 / ALPHA)
        inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
    return float(outside[0]), float(outside[1])


def _demand_scores(state: ArmState) -> None:
    if state.n < 1:
        raise DataError("an arm has no score yet: nothing can be said of it")
