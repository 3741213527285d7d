"""Live tests looked at after every single request: how often they stop at nothing, how soon at something."""

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from neuroforge.statistics.bestarm import choose_arms, optimal_shares
from neuroforge.statistics.sequential import ArmState, log_e_above, log_e_difference, log_e_mean
from tests.benchmarks.experiment_draws import N_RUNS, SEED, Floats
from tests.benchmarks.figures import Figure, at_least, at_most

LIMIT = 0.06
N_REQUESTS = 500
THRESHOLD = float(np.log(20))
SHARES_EVERY = 50
"""Requests between two computations of the optimal shares, for time."""


def run() -> list[Figure]:
    """Return false stops, the coverage of whole sequences, and what it takes to find the best of four."""
    parts = (_two_arms, _sequences, _best_of_four)
    return [figure for k, part in enumerate(parts) for figure in part(np.random.default_rng([SEED, k]))]


def _scores(means: Floats, graded: bool, rng: np.random.Generator) -> Floats:
    if graded:
        return rng.beta(6 * means, 6 * (1 - means))
    return (rng.random(means.shape) < means).astype(float)


def _add(state: ArmState, scores: Floats, chosen: np.ndarray) -> ArmState:
    """Give the score to the arms that were asked."""
    grown = state.add(scores)
    names = [one.name for one in fields(ArmState)]
    return ArmState(**{name: np.where(chosen, getattr(grown, name), getattr(state, name)) for name in names})


def _empty(n_arms: int) -> ArmState:
    return ArmState(**{one.name: np.zeros((N_RUNS, n_arms)) for one in fields(ArmState)})


def _arm(state: ArmState, arm: np.ndarray) -> ArmState:
    columns = {one.name: np.take_along_axis(getattr(state, one.name), arm[:, None], 1) for one in fields(ArmState)}
    return ArmState(**columns)


def _two_arms(rng: np.random.Generator) -> Iterator[Figure]:
    """Stops at a difference of two arms that are alike, under even, uneven and greedy allocation."""
    rates = {}
    for mean, graded in ((0.5, False), (0.1, False), (0.5, True)):
        for allocation in ("even", "one in ten", "to the leader"):
            state, stopped = _empty(2), np.zeros(N_RUNS, bool)
            for _ in range(N_REQUESTS):
                second = _second_share(allocation, state)
                is_second = rng.random(N_RUNS) < second
                chosen = np.column_stack([~is_second, is_second])
                state = _add(state, _scores(np.full((N_RUNS, 2), mean), graded, rng), chosen)
                first, other = (_arm(state, np.full(N_RUNS, k)) for k in (0, 1))
                stopped |= log_e_difference(first, other, 0.0)[:, 0] >= THRESHOLD
            rates[f"{allocation}, {'graded' if graded else 'binary'}, mean {mean:g}"] = float(stopped.mean())
    where = max(rates, key=rates.__getitem__)
    name = f"null rejections, two arms, {N_REQUESTS:,} peeks: worst of {len(rates)} ({where})"
    yield at_most(name, rates[where], "stopped", LIMIT)


def _second_share(allocation: str, state: ArmState) -> Floats:
    if allocation == "even":
        return np.full(N_RUNS, 0.5)
    if allocation == "one in ten":
        return np.full(N_RUNS, 0.1)
    means = (state.total + 0.5) / (state.n + 1)
    return np.where(means[:, 1] > means[:, 0], 0.9, 0.1)


def _sequences(rng: np.random.Generator) -> Iterator[Figure]:
    """Whether the truth stays inside at every one of the moments; shadow pairs are differences on 0..1."""
    held = {}
    for name, draw in (
        ("mean .9, binary", lambda: _scores(np.full(N_RUNS, 0.9), False, rng)),
        ("mean .5, graded", lambda: _scores(np.full(N_RUNS, 0.5), True, rng)),
        ("pairs, discordance .1", lambda: (1 + _discordant(0.1, rng)) / 2),
    ):
        state, inside = ArmState(), np.ones(N_RUNS, bool)
        truth = 0.9 if ".9" in name else 0.5
        for _ in range(N_REQUESTS):
            state = state.add(draw())
            inside &= log_e_mean(state, truth) < THRESHOLD
        held[name] = float(inside.mean())
    where = min(held, key=held.__getitem__)
    name = f"conservative, confidence sequences: inside at all {N_REQUESTS:,} moments, least of {len(held)} ({where})"
    yield at_least(name, held[where], "share", 0.94)


def _discordant(discordance: float, rng: np.random.Generator) -> Floats:
    return np.where(rng.random(N_RUNS) < discordance, rng.choice([-1.0, 1.0], N_RUNS), 0.0)


def _best_of_four(rng: np.random.Generator) -> Iterator[Figure]:
    wrong = {}
    for name, means in (("all alike", (0.5,) * 4), ("two best", (0.6, 0.6, 0.4, 0.4))):
        winner, _ = _track_and_stop(np.array(means), True, rng)
        wrong[name] = float((winner >= 0).mean())
    winner, soonest = _track_and_stop(np.array((0.9, 0.6, 0.6, 0.5)), True, rng)
    wrong["one best"] = float((winner > 0).mean())
    where = max(wrong, key=wrong.__getitem__)
    name = f"null rejections, best of four by track and stop, {N_REQUESTS:,} peeks: worst ({where})"
    yield at_most(name, wrong[where], "wrong", LIMIT)
    _, evenly = _track_and_stop(np.array((0.9, 0.6, 0.6, 0.5)), False, rng)
    yield Figure(
        "best of four (.9 .6 .6 .5) found within 500 requests, track and stop", float((winner == 0).mean()), "share"
    )
    yield Figure(
        "requests until the best of four is known, median, track and stop", float(np.median(soonest)), "requests"
    )
    yield Figure("requests until the best of four is known, median, even shares", float(np.median(evenly)), "requests")


def _track_and_stop(means: Floats, is_adaptive: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the named arm (-1 = none) and the request at which it was, of each run."""
    n_arms = len(means)
    state, shares = _empty(n_arms), np.full((N_RUNS, n_arms), 1 / n_arms)
    winner, stopped_at = np.full(N_RUNS, -1), np.full(N_RUNS, N_REQUESTS)
    threshold = THRESHOLD + np.log(n_arms - 1)
    for request in range(1, N_REQUESTS + 1):
        if is_adaptive and request % SHARES_EVERY == 0:
            shares = optimal_shares((state.total + 0.5) / (state.n + 1))
        chosen = np.arange(n_arms) == choose_arms(shares, state.n)[:, None]
        state = _add(state, _scores(np.broadcast_to(means, (N_RUNS, n_arms)), False, rng), chosen)
        leader = ((state.total + 1e-9) / np.maximum(state.n, 1)).argmax(axis=1)
        evidence = log_e_above(_arm(state, leader), state)
        evidence[np.arange(N_RUNS), leader] = np.inf
        is_now = (evidence.min(axis=1) >= threshold) & (winner < 0)
        winner[is_now], stopped_at[is_now] = leader[is_now], request
    return winner, stopped_at
