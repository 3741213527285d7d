"""How long a decision takes in process: `OMP_NUM_THREADS=1 python -m tests.benchmarks.router_decide OUTCOMES`.

Everything that a request waits for is timed: features, profile, predictions, selection, the Decision itself. The router
is fitted on the file's first rows (format: `neuroforge router fit`) and asked the questions of the others; then prompts
of a megabyte, and the two paths that need no features, beside the router that learns nothing. One BLAS thread, as
Ray gives to a replica that has less than one CPU.
"""

import argparse
import gc
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroforge.contracts.outcomes import LearnerSnapshot
from neuroforge.contracts.ports import Router
from neuroforge.contracts.routing import FleetSnapshot, Outcome, RoutingRequest
from neuroforge.contracts.rules import RoutingRules
from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.router.basis import LikenessBasis, basis_of, basis_prior
from neuroforge.router.embedder import StaticEmbedder, load_embedder
from neuroforge.router.fastest import LatencyRouter
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.data import OutcomeTable, read_outcomes
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from tests.benchmarks.figures import Figure, at_most, percentile, print_figures, write_figures
from tests.fakes import FakeMetrics, endpoint, routing_request, snapshot

NAME = "router-decide"
N_STORED, N_ASKED, N_LARGE, N_PLAIN, N_WARM = 5_000, 1_000, 200, 20_000, 50
MEGABYTE = 1_000_000
EMBEDDER = Path(".neuroforge") / "test-home" / "assets" / "potion-base-8m"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--embedder", type=Path, default=EMBEDDER)
    parser.add_argument("--stored", type=int, default=N_STORED, help="rows that the router is fitted on")
    given = parser.parse_args()
    table, embedder = read_outcomes(given.outcomes), load_embedder(given.embedder)
    figures = measure(table, embedder, given.stored)
    print_figures(NAME, figures)
    write_figures(NAME, figures)


def measure(table: OutcomeTable, embedder: StaticEmbedder, n_stored: int) -> list[Figure]:
    """Return all figures."""
    stored = table.take(np.arange(min(n_stored, len(table) - 1)))
    fitted = fit_router(stored, extract_queries(stored.queries, embedder), embedder.sha256)
    learned = _learned(fitted, embedder, stored)
    fleet = snapshot(*(endpoint(model_id) for model_id in table.model_ids))
    asked = table.queries[len(stored) :][:N_ASKED]
    gc.freeze()  # as the gateway does: its long-lived objects are no concern of a collection
    usual = _time_decisions(learned, fleet, asked)
    large = _time_decisions(learned, fleet, _large_texts(N_LARGE))
    n = f"{len(table.model_ids)} models, {len(stored)} outcomes"
    return [
        at_most(f"decision p50, {n}", percentile(usual, 50) * 1e3, "ms", 1.5),
        at_most(f"decision p99, {n}", percentile(usual, 99) * 1e3, "ms", 5.0),
        at_most("decision p99, prompts of 1 MB", percentile(large, 99) * 1e3, "ms", 20.0),
        *_compare_plain(learned),
    ]


def _learned(fitted: FittedRouter, embedder: StaticEmbedder, stored: OutcomeTable) -> LearnedRouter:
    """Return a router with this fit and an online outcome for each stored row."""
    even = np.full(len(TASK_TYPES), 1 / len(TASK_TYPES))
    n_basis = len(basis_of(LikenessBasis(fitted), extract_texts([""], embedder), even))
    online = OnlinePosterior(basis_prior(fitted, n_basis).variances)
    rng = np.random.default_rng(0)
    for number in range(len(stored)):
        basis = np.concatenate([[1.0], rng.normal(scale=0.3, size=n_basis - 1)])
        model_id = stored.model_ids[number % len(stored.model_ids)]
        online.update(model_id, basis, float(rng.normal(scale=0.2)), at_s=float(number))
    router = LearnedRouter(time.monotonic, time.time, FakeMetrics(), lambda _data, _hash: fitted, RouterOptions())
    router.knowledge.equip(embedder)
    rules, best = RoutingRules(), stored.model_ids[0]
    router.knowledge.take(
        LearnerSnapshot(version=1, fit_id="f", fit=b"-", online=online.to_bytes(), rules=rules, best_single=best)
    )
    return router


def _time_decisions(router: Router, fleet: FleetSnapshot, texts: Sequence[str]) -> list[float]:
    requests = [_request(text, number) for number, text in enumerate(texts)]
    for request in requests[:N_WARM]:
        router.decide(request, fleet)
    took_s = []
    for request in requests:
        started_s = time.perf_counter()
        decision = router.decide(request, fleet)
        took_s.append(time.perf_counter() - started_s)
        assert decision.reason in ("utility", "explored", "holdout"), decision.reason
    return took_s


def _request(text: str, number: int) -> RoutingRequest:
    body = {"messages": [{"role": "user", "content": text}]}
    return routing_request(request_id=f"r{number}", body=body, n_prompt_tokens_estimate=len(text) // 400)


def _large_texts(n: int) -> list[str]:
    """Return texts of a megabyte, of kinds that are hard in different ways."""
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz     .,\n"), MEGABYTE).tolist())
    ideographs = "".join(map(chr, rng.integers(0x4E00, 0x9FFF, MEGABYTE // 3).tolist()))
    code = "def f(x: int) -> int:\n    return {'a': [x + 1, (x * 2) / 3]}\n" * (MEGABYTE // 60)
    kinds = (letters, ideographs, code, "word " * (MEGABYTE // 5), "x" * MEGABYTE)
    return [kinds[number % len(kinds)] for number in range(n)]


def _compare_plain(learned: LearnedRouter) -> list[Figure]:
    fleet, plain = snapshot(endpoint("small")), LatencyRouter(time.monotonic)
    figures = []
    for name, model_id in (("a named model", "small"), ("one candidate", None)):
        request = routing_request(model_id, body={"messages": [{"role": "user", "content": "Hi"}]})
        before_s, after_s = (percentile(_time_whole(one, request, fleet), 50) for one in (plain, learned))
        figures += [
            Figure(f"{name}: decide, started, finished without learning", before_s * 1e6, "us"),
            at_most(f"{name}: what learning adds", (after_s - before_s) * 1e6, "us", 30.0),
        ]
    return figures


def _time_whole(router: Router, request: RoutingRequest, fleet: FleetSnapshot) -> list[float]:
    """Seconds of all that the router does for a request, from decide to finished."""
    took_s = []
    for _ in range(N_PLAIN):
        started_s = time.perf_counter()
        decision = router.decide(request, fleet)
        router.started(decision)
        told = {"decision_id": decision.decision_id, "request_id": "r", "model_id": decision.model_id}
        router.finished(Outcome(**told, policy=decision.policy, status=200, n_completion_tokens=5, latency_s=0.3))
        took_s.append(time.perf_counter() - started_s)
    return took_s


if __name__ == "__main__":
    main()
