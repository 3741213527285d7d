"""An outcome file of the own fleet -> what each policy scores on questions not fitted on, and how long it takes.

    python -m tests.benchmarks.router_fleet OUTCOMES [--seeds N]

OUTCOMES as `neuroforge router label` wrote it, with its journal of answers beside it (tokens are read there). Every
question is decided by the code that serves (senses, predictor, utility) on what the other folds taught it: the fit, and
the speeds and lengths of their answers. One request at a time, no exploration, no holdout, no feedback.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.datasets import Answer
from neuroforge.contracts.models import EngineKind, ModelEndpoint, ModelState
from neuroforge.contracts.routing import Outcome, Policy, Prediction, RoutingRequest, UtilityWeights
from neuroforge.contracts.rules import RoutingRules
from neuroforge.datasets.journal import read_answers
from neuroforge.router.belief import Belief
from neuroforge.router.embedder import StaticEmbedder, load_embedder
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit.data import OutcomeTable, read_outcomes
from neuroforge.router.fit.intervals import estimate
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from neuroforge.router.fit.rows import RawRow, read_rows
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.predict import PerformancePredictor
from neuroforge.router.rules import RulesView
from neuroforge.router.senses import Senses
from neuroforge.router.utility import weigh
from tests.benchmarks.figures import Figure, at_least, at_most, print_figures, write_figures
from tests.benchmarks.run import ASSETS_HOME
from tests.benchmarks.run_router import EMBEDDER

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

N_FOLDS = 5
MOST_TIME_SHARE = 0.70
PLAIN = UtilityWeights()
POLICIES: tuple[Policy, ...] = ("auto:cheap", "auto", "auto:best", "auto:fast")
LATENCY_WEIGHTS = (0.0, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Quality that a second is worth: the points of the frontier."""


@dataclass(frozen=True)
class FleetOutcomes:
    """n questions, m models; every model answered every question."""

    table: OutcomeTable
    latencies_s: Floats
    """(n, m), as the caller saw them."""
    answers: list[list[Answer]]
    """By question, then model."""
    endpoints: list[ModelEndpoint]

    @property
    def largest(self) -> int:
        """The slowest on average: what stands for the largest model."""
        return int(self.latencies_s.mean(axis=0).argmax())


def load_fleet(path: Path) -> FleetOutcomes:
    """Return the file's questions that every model answered. Nothing has a price: the models run on one machine."""
    table = read_outcomes(path)
    found = read_answers(path.with_name(f"{path.name}.answers") / "answers.jsonl").values()
    by_cell = {(one.dataset, one.item_id, one.model_id): one for one in found}
    raw = [one.values for one in read_rows(path, ("dataset", "item_id")) if isinstance(one, RawRow)]
    rows = np.flatnonzero(table.is_known.all(axis=1))
    answers = [[by_cell[raw[row]["dataset"], raw[row]["item_id"], model] for model in table.model_ids] for row in rows]
    latencies = np.array([[one.latency_s or 0.0 for one in line] for line in answers])
    return FleetOutcomes(table.take(rows), latencies, answers, [_endpoint(model) for model in table.model_ids])


def _endpoint(model_id: str) -> ModelEndpoint:
    return ModelEndpoint(
        model_id=model_id,
        engine=EngineKind.LLAMACPP,
        base_url="http://127.0.0.1",
        served_name=model_id,
        context_length=None,
        capabilities=frozenset({"chat"}),
        state=ModelState.READY,
        parallel=4,
    )


@dataclass(frozen=True)
class Predicted:
    """What the product expected of each question, by a router that had not seen it."""

    predictions: list[list[Prediction]]

    def choose(self, policy: Policy, weights: UtilityWeights = PLAIN) -> Rows:
        """Return the best model by utility for each question; ties go to the cheaper, then the faster."""
        return np.array([_best(line, policy, weights) for line in self.predictions])


def predict_out_of_fold(
    fleet: FleetOutcomes, features: FeatureMatrix, embedder: StaticEmbedder, seed: int
) -> Predicted:
    """Return every question's predictions by what the other folds taught."""
    n = len(fleet.table)
    folds = np.array_split(np.random.default_rng(seed).permutation(n), N_FOLDS)
    lines: list[list[Prediction]] = [[] for _ in range(n)]
    for fold in folds:
        train = np.setdiff1d(np.arange(n), fold)
        fitted = fit_router(fleet.table.take(train), features.take(train), embedder.sha256)
        belief = Belief(1, RulesView(RoutingRules()), fitted=fitted)
        estimator, lengths = LatencyEstimator(lambda: 0.0), OutputLengths()
        senses, predictor = Senses(embedder, lengths), PerformancePredictor(estimator, lengths)
        for row in np.random.default_rng(seed).permutation(train):
            task = senses.look(_request(fleet, row), belief).profile.task_type
            for answer in fleet.answers[row]:
                estimator.learn(_outcome(answer))
                lengths.learn(answer.model_id, task, answer.n_completion_tokens)
        for row in fold:
            asked = senses.look(_request(fleet, row), belief)
            lines[row] = predictor.predict_all(asked, fleet.endpoints, belief).predictions
    return Predicted(lines)


def measure(fleet: FleetOutcomes, runs: Sequence[Predicted]) -> list[Figure]:
    """Return each policy against always the largest model, and the frontier over what a second is worth."""
    largest = np.full(len(fleet.table), fleet.largest)
    figures = [*_tell(fleet, "always the largest", [largest]), *_tell(fleet, "oracle", [_oracle(fleet)])]
    figures += _judge(fleet, [run.choose("auto:cheap") for run in runs])
    for policy in POLICIES:
        chosen = [run.choose(policy) for run in runs]
        figures += _tell(fleet, policy, chosen)
        if policy == "auto:cheap":
            figures += _tell_tasks(fleet, policy, chosen)
    for per_s in LATENCY_WEIGHTS:
        weights = UtilityWeights(latency_per_s=per_s, target_latency_s=0.0, cost_per_usd=0.0)
        figures += _tell(fleet, f"a second is worth {per_s:g}", [run.choose("auto", weights) for run in runs])
    return figures


def _judge(fleet: FleetOutcomes, chosen: Sequence[Rows]) -> list[Figure]:
    scores, seconds = _earn(fleet, chosen)
    dearest = fleet.largest
    lost = estimate(scores - fleet.table.scores[:, dearest])
    share = seconds.mean() / fleet.latencies_s[:, dearest].mean()
    return [
        at_least("auto:cheap less the largest", lost.mean, "score", 0.0),
        Figure("  low end", lost.low, "score"),
        Figure("  high end", lost.high, "score"),
        at_most("auto:cheap, share of the largest's seconds", float(share), "ratio", MOST_TIME_SHARE),
    ]


def _tell(fleet: FleetOutcomes, name: str, chosen: Sequence[Rows]) -> list[Figure]:
    scores, seconds = _earn(fleet, chosen)
    score, time = estimate(scores), estimate(seconds)
    shares = np.mean([np.bincount(one, minlength=len(fleet.endpoints)) / len(one) for one in chosen], axis=0)
    return [
        Figure(f"{name} [{score.low:.3f}, {score.high:.3f}]", score.mean, "score"),
        Figure(f"{name} [{time.low:.2f}, {time.high:.2f}]", time.mean, "s"),
        Figure(f"{name}: the largest's share", float(shares[fleet.largest]), "of questions"),
    ]


def _tell_tasks(fleet: FleetOutcomes, name: str, chosen: Sequence[Rows]) -> list[Figure]:
    scores, seconds = _earn(fleet, chosen)
    tasks = np.array([str(task) for task in fleet.table.tasks])
    figures = []
    for task in sorted(set(tasks)):
        rows = tasks == task
        lost = estimate((scores - fleet.table.scores[:, fleet.largest])[rows])
        share = seconds[rows].mean() / fleet.latencies_s[rows, fleet.largest].mean()
        figures += [
            Figure(f"{name}, {task}: less the largest [{lost.low:.3f}, {lost.high:.3f}]", lost.mean, "score"),
            Figure(f"{name}, {task}: share of the largest's seconds", float(share), "ratio"),
        ]
    return figures


def _earn(fleet: FleetOutcomes, chosen: Sequence[Rows]) -> tuple[Floats, Floats]:
    """Return scores and seconds by question, means over the seeds."""
    rows = np.arange(len(fleet.table))
    scores = np.mean([fleet.table.scores[rows, one] for one in chosen], axis=0)
    return scores, np.mean([fleet.latencies_s[rows, one] for one in chosen], axis=0)


def _oracle(fleet: FleetOutcomes) -> Rows:
    """The fastest of the best by question."""
    best = fleet.table.scores >= fleet.table.scores.max(axis=1, keepdims=True)
    return np.asarray(np.where(best, fleet.latencies_s, np.inf).argmin(axis=1))


def _best(line: Sequence[Prediction], policy: Policy, weights: UtilityWeights) -> int:
    terms = weigh(line, [0.0] * len(line), policy, weights)
    return min(range(len(line)), key=lambda one: (-terms[one].total, line[one].cost_usd, line[one].latency_s))


def _request(fleet: FleetOutcomes, row: int) -> RoutingRequest:
    body = {"messages": [{"role": "user", "content": fleet.table.queries[row]}]}
    n_tokens = fleet.answers[row][0].n_prompt_tokens
    return RoutingRequest(request_id=str(row), policy="auto", body=body, n_prompt_tokens_estimate=n_tokens)


def _outcome(answer: Answer) -> Outcome:
    return Outcome(
        decision_id="",
        request_id="",
        model_id=answer.model_id,
        policy="explicit",
        status=200,
        n_prompt_tokens=answer.n_prompt_tokens,
        n_completion_tokens=answer.n_completion_tokens,
        latency_s=answer.latency_s or 0.0,
    )


def main(words: list[str]) -> int:
    """Measure one file."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.router_fleet", description=__doc__)
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="so many ways to fold the file")
    given = parser.parse_args(words)
    embedder = load_embedder(AssetStore(ASSETS_HOME.absolute()).ensure(EMBEDDER))
    fleet = load_fleet(given.outcomes)
    features = extract_queries(fleet.table.queries, embedder)
    figures = measure(fleet, [predict_out_of_fold(fleet, features, embedder, seed) for seed in range(given.seeds)])
    print_figures("router_fleet", figures)
    print(f"written: {write_figures('router_fleet', figures)}")
    return 0 if all(one.holds is not False for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
