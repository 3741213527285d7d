"""Learning on line: regret from a cold start, and the way back after models changed.

The posteriors, propensities and draws are those of live traffic, and so is the step from examples to kinds found in
the first requests; a snapshot is published after every PUBLISH_EVERY outcomes. Only the chosen model's score is seen,
and no task. What the learner believes of a model before its first outcome follows from the size in its name, as it does
live; beside it runs one to which all names say nothing. Everything is paired: same rows, same orders.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.rules import RoutingRules
from neuroforge.router.basis import N_SHARED, ExampleBasis, basis_of, basis_prior, soft_shares
from neuroforge.router.classify import seed_head
from neuroforge.router.clusters import TrafficSample, find_clusters
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.explore import draw, propensities
from neuroforge.router.fit.pipeline import extract_queries
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.prior import UNKNOWN_QUALITY, prior_quality
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.router_data import generate, load_nine
from tests.fakes import endpoint

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

N_ORDERS, N_STEPS, PUBLISH_EVERY = 20, 5_000, 10
SWAP_AT, WINDOW, WITHIN = 2_500, 200, 500
MOST_REGRET_SHARE, MOST_GAP = 0.6, 0.01
COMMIT_ROUNDS = (*range(1, 31), *range(32, 101, 4), *range(120, 501, 20))
"""Looks at each model before explore-then-commit commits; all are tried, the best in hindsight counts."""
Z_95 = 1.96


class World(NamedTuple):
    """Questions with every model's score, and what the learner sees of them."""

    scores: Floats
    """(n, m)."""
    tasks: NDArray[np.intp]
    """(n,), known to the judge only."""
    basis: Floats
    """(n, d), by the examples."""
    points: Floats
    """(n, dimension), where kinds are found."""
    base: Floats
    """(m,), quality expected before any outcome."""

    def best_by_task(self) -> Floats:
        """(n,), score of the model that is the best of the row's task."""
        means = np.array([self.scores[self.tasks == task].mean(axis=0) for task in range(self.tasks.max() + 1)])
        return np.asarray(self.scores[np.arange(len(self.scores)), means.argmax(axis=1)[self.tasks]])


def run(data: Path | None, embedder: StaticEmbedder) -> list[Figure]:
    """Measure; see the module docstring. Without data: generated outcomes."""
    table = generate(6_000) if data is None else load_nine(data)[0]
    features = extract_queries(table.queries, embedder)
    probabilities, examples = seed_head(embedder).probabilities(features), ExampleBasis(embedder)
    rows = [basis_of(examples, features.take(np.array([row])), probabilities[row]) for row in range(len(table))]
    names = {name: number for number, name in enumerate(sorted({str(task) for task in table.tasks}))}
    tasks = np.array([names[str(task)] for task in table.tasks])
    base = np.array([prior_quality(endpoint(name), None, None).mean for name in table.model_ids])
    world = World(table.scores, tasks, np.array(rows), examples.place(features), base)
    orders = [np.random.default_rng(1_000 + order).permutation(len(table))[:N_STEPS] for order in range(N_ORDERS)]
    return [*measure_regret(world, orders), *measure_drift(world, orders)]


def learn(world: World, rows: Rows, seed: int, later: World | None = None) -> Floats:
    """Return the scores earned (n,) by the live code from a cold start; `later` holds from step SWAP_AT on."""
    model_ids = [f"model-{index}" for index in range(world.scores.shape[1])]
    posterior = OnlinePosterior(basis_prior(None, world.basis.shape[1]).variances)
    basis, sample, floor = world.basis, TrafficSample(), RoutingRules().quality_floor
    published = posterior
    earned = np.zeros(len(rows))
    for step, row in enumerate(rows):
        if step % PUBLISH_EVERY == 0:
            if sample.is_full:
                basis, posterior = _regroup(world, posterior, sample)
                sample = TrafficSample()
            published = OnlinePosterior.from_bytes(posterior.to_bytes())
        scores = (later if later is not None and step >= SWAP_AT else world).scores[row]
        mean, std = published.predict(model_ids, basis[row])
        quality = np.clip(world.base + mean, 0.0, 1.0)
        chosen = draw(propensities(quality, std, quality, floor), seed, f"request-{step}", step // PUBLISH_EVERY)
        earned[step] = scores[chosen]
        posterior.update(model_ids[chosen], basis[row], earned[step] - world.base[chosen], at_s=float(step))
        if basis is world.basis:
            sample.see(world.points[row])
    return earned


def _regroup(world: World, posterior: OnlinePosterior, sample: TrafficSample) -> tuple[Floats, OnlinePosterior]:
    """As the learner adopts kinds; a sample without kinds changes nothing."""
    found = find_clusters(sample, "")
    if found is None:
        return world.basis.copy(), posterior
    shares = soft_shares(world.points, found.centroids, (found.centroids**2).sum(axis=1))
    basis = np.hstack([world.basis[:, :N_SHARED], shares])
    return basis, posterior.carried(basis_prior(None, basis.shape[1]).variances, "", N_SHARED)


def commit(world: World, rows: Rows, n_rounds: int) -> Floats:
    """Return the scores earned by asking each model so often in turn, then only the one with the best mean."""
    scores = world.scores[rows]
    n_models = scores.shape[1]
    n_looks = min(n_rounds * n_models, len(rows))
    arms = np.arange(n_looks) % n_models
    earned = scores[np.arange(n_looks), arms]
    means = [earned[arms == arm].mean() for arm in range(n_models)]
    return np.concatenate([earned, scores[n_looks:, int(np.argmax(means))]])


def measure_regret(world: World, orders: Sequence[Rows]) -> list[Figure]:
    """Cumulative regret against the best model of each true task."""
    best = world.best_by_task()
    ours = np.array([(best[rows] - learn(world, rows, seed)).sum() for seed, rows in enumerate(orders)])
    nameless = world._replace(base=np.full_like(world.base, UNKNOWN_QUALITY))
    blind = np.array([(best[rows] - learn(nameless, rows, seed)).sum() for seed, rows in enumerate(orders)])
    theirs = np.array([[(best[rows] - commit(world, rows, n)).sum() for n in COMMIT_ROUNDS] for rows in orders])
    at_best = theirs[:, int(theirs.mean(axis=0).argmin())]
    single = [(best[rows] - world.scores[rows].T).sum(axis=1).min() for rows in orders]
    return [
        at_most(
            "regret, share of explore-then-commit's", float(ours.mean() / at_best.mean()), "ratio", MOST_REGRET_SHARE
        ),
        Figure("  the same if no name tells a size", float(blind.mean() / at_best.mean()), "ratio"),
        *_interval("regret of 5,000 steps from a cold start", ours),
        *_interval("regret if no name tells a size", blind),
        *_interval("explore-then-commit, commit time best in hindsight for all orders", at_best),
        Figure(
            "explore-then-commit, commit time best in hindsight for each order",
            float(theirs.min(axis=1).mean()),
            "score",
        ),
        Figure("the best single model, known from the start", float(np.mean(single)), "score"),
    ]


def measure_drift(world: World, orders: Sequence[Rows]) -> list[Figure]:
    """The best and the worst model swap scores; beside it runs a learner that has never known the old world."""
    order = world.scores.mean(axis=0).argsort()
    swapped = world.scores.copy()
    swapped[:, [order[0], order[-1]]] = world.scores[:, [order[-1], order[0]]]
    new = world._replace(scores=swapped)
    gaps = []
    for seed, rows in enumerate(orders):
        rows = rows[: SWAP_AT + WITHIN]
        gap = learn(new, rows, seed) - learn(world, rows, seed, later=new)
        gaps.append(np.convolve(gap[SWAP_AT:], np.full(WINDOW, 1.0 / WINDOW), mode="valid"))
    means = np.array(gaps).mean(axis=0)
    half = Z_95 * np.array(gaps)[:, -1].std(ddof=1) / len(gaps) ** 0.5
    reached = np.flatnonzero(means <= MOST_GAP)
    return [
        at_most("gap to a router of the new world, last 200 of 500 steps", float(means[-1]), "score", MOST_GAP),
        Figure("  half of its 95 % interval", float(half), "score"),
        *(Figure("  steps to a gap of 0.01", float(WINDOW + first), "steps") for first in reached[:1]),
        Figure("  gap in the first 200 steps", float(means[0]), "score"),
    ]


def _interval(name: str, values: Floats) -> list[Figure]:
    half = Z_95 * values.std(ddof=1) / len(values) ** 0.5
    return [Figure(name, float(values.mean()), "score"), Figure("  half of its 95 % interval", float(half), "score")]
