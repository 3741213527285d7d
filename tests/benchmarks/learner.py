"""What recording costs: in the gateway replica for each request, and in the learner, which must keep up."""

import pickle
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.outcomes import OutcomeRecord
from neuroforge.contracts.routing import CandidateView, Decision, Outcome, Prediction, UtilityTerms
from neuroforge.contracts.rules import RoutingRules
from neuroforge.contracts.tasks import TASK_TYPES, TaskProfile
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions, LearnerReport, pack_row
from neuroforge.storage.outcomes import open_outcomes
from tests.benchmarks.figures import Figure, at_least, at_most

BATCH = 256
"""As the exchange makes them."""
N_BATCHES = 40
N_BASIS = 43
"""Of the basis without a fit."""
N_MODELS = 3
REQUESTS_PER_S = 850.0
DAY_S = 86400.0


class _Rules:
    """None are applied."""

    live = RoutingRules()

    def observe(self, decisions: Iterable[Decision]) -> None:
        """Nothing is in shadow."""


def run(home: Path, _assets: Path, _with_litellm: bool) -> list[Figure]:
    """Feed records of chosen models, one in fifty a failure, as fast as they are taken."""
    home.mkdir(parents=True, exist_ok=True)
    store = open_outcomes(f"sqlite:///{home / 'outcomes.db'}")
    options = LearnerOptions("stats", 30 * DAY_S, 7 * DAY_S)
    learner = Learner(store, _Rules(), _prior_of, options, time.time)
    packing_s, sending_s, taking_s, slowest_s = 0.0, 0.0, 0.0, 0.0
    for number in range(N_BATCHES):
        records = [_record(number * BATCH + n) for n in range(BATCH)]
        started_s = time.perf_counter()
        report = LearnerReport(tuple(row for one in records if (row := pack_row(one, "stats")) is not None))
        packed_s = time.perf_counter()
        received = pickle.loads(pickle.dumps(report, 5))
        sent_s = time.perf_counter()
        learner.exchange(received)
        taken_s = time.perf_counter()
        packing_s, sending_s = packing_s + packed_s - started_s, sending_s + sent_s - packed_s
        taking_s, slowest_s = taking_s + taken_s - sent_s, max(slowest_s, taken_s - sent_s)
    n = N_BATCHES * BATCH
    kept = store.summary("stats", options.retention_s)
    learner.close()
    store.close()
    started_s = time.perf_counter()
    Learner(open_outcomes(f"sqlite:///{home / 'outcomes.db'}"), _Rules(), _prior_of, options, time.time)
    restored_s = time.perf_counter() - started_s
    return [
        at_most("recording in the gateway, a request", (packing_s + sending_s) / n * 1e6, "us", 30.0),
        at_least("outcomes that the learner takes", n / taking_s, "1/s", REQUESTS_PER_S),
        Figure("share of a core for 850 requests/s", 100 * REQUESTS_PER_S * taking_s / n, "%"),
        Figure("slowest batch of 256", slowest_s * 1000, "ms"),
        Figure("on disk, an outcome", kept.bytes_on_disk / n, "B"),
        Figure("learner restored", restored_s * 1000, "ms"),
    ]


def _prior_of(_content: bytes | None) -> NDArray[np.float64]:
    return np.full(N_BASIS, 0.05)


def _record(number: int) -> OutcomeRecord:
    decision_id, models = secrets.token_hex(8), [f"model-{one}" for one in range(N_MODELS)]
    chosen = models[number % N_MODELS]
    profile = TaskProfile(
        task_type="code",
        probability_by_task=dict.fromkeys(TASK_TYPES, 0.1),
        complexity=0.5,
        language="en",
        n_prompt_tokens=100,
        n_output_tokens=200.0,
    )
    decision = Decision(
        decision_id=decision_id,
        request_id=f"req_{decision_id}",
        model_id=chosen,
        policy="auto",
        reason="utility",
        snapshot_version=1,
        candidates=tuple(_view(one) for one in models),
        profile=profile,
        propensity=0.5,
        exploration="on",
    )
    outcome = Outcome(
        decision_id=decision_id,
        request_id=decision.request_id,
        model_id=chosen,
        policy="auto",
        status=502 if number % 50 == 0 else 200,
        finish_reason="stop",
        n_prompt_tokens=100,
        n_completion_tokens=200,
        latency_s=1.5,
    )
    basis = (1.0, *np.random.default_rng(number).normal(0, 0.3, N_BASIS - 1))
    return OutcomeRecord(at_s=time.time(), decision=decision, outcome=outcome, basis=basis, base_quality=0.5)


def _view(model_id: str) -> CandidateView:
    prediction = Prediction(
        model_id=model_id,
        quality=0.5,
        quality_low=0.25,
        quality_high=0.75,
        quality_std=0.1,
        n_output_tokens=200.0,
        ttft_s=0.1,
        s_per_token=0.01,
        latency_s=2.1,
        cost_usd=0.001,
    )
    utility = UtilityTerms(quality=0.5, cost=0.01, latency=0.05, prefix=0.0, total=0.44)
    return CandidateView(
        model_id=model_id, expected_latency_s=2.1, prediction=prediction, utility=utility, propensity=0.5
    )
