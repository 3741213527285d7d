"""Requests -> sample -> kinds -> snapshot -> basis, with the gateway's router and the learner in one process."""

from pathlib import Path

import numpy as np

from neuroforge.router.basis import N_SHARED
from neuroforge.router.clusters import N_CLUSTERS, N_SAMPLE, PREFIX, find_clusters
from neuroforge.router.fit_bytes import load_router_bytes
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from neuroforge.router.posterior_prior import PosteriorPrior
from neuroforge.storage.outcomes import open_outcomes
from tests.fakes import FakeClock, FakeMetrics
from tests.unit.router.fit.worlds import make_embedder, make_rows
from tests.unit.router.learning import DAY_S, FakeRules, SetClock
from tests.unit.router.live_fleet import LiveFleet


def test_traffic_gives_kinds_by_which_is_learned_from_then_on(tmp_path: Path) -> None:
    embedder, clock = make_embedder(tmp_path / "embedder"), SetClock()
    store = open_outcomes(f"sqlite:///{tmp_path / 'outcomes.db'}")
    prior_of = PosteriorPrior(embedder, load_router_bytes)
    learner = Learner(store, FakeRules(), prior_of, LearnerOptions("stats", 30 * DAY_S, 7 * DAY_S), clock)
    router = LearnedRouter(FakeClock(), clock, FakeMetrics(), load_router_bytes, RouterOptions())
    router.knowledge.equip(embedder)
    fleet = LiveFleet(router, learner, clock, lambda _model, _query: "yes", ("coder", "sage"))
    any_route = {"route": {"explore": True}}
    for number, row in enumerate(make_rows(2 * N_SAMPLE)):
        fleet.route([{"role": "user", "content": f"{row.query} {number}"}], "auto", neuroforge=any_route)
        if (taken := router.knowledge.take_sample()) is not None:
            break
    assert taken is not None
    assert router.knowledge.take_sample() is None
    found = find_clusters(*taken)
    assert found is not None

    fleet.exchange(found.to_bytes())
    body = fleet.chat("return array", "auto", neuroforge=any_route)
    fleet.feedback(body["neuroforge"]["decision_id"], 1.0)

    assert router.knowledge.known[1].startswith(PREFIX)
    clock.now_s += 1
    fleet.exchange()
    held = learner.find_decision(body["neuroforge"]["decision_id"], None)
    assert held.basis is not None
    assert N_SHARED + 2 <= len(held.basis) <= N_SHARED + N_CLUSTERS
    learner.close()
    saved = store.load_state()
    assert saved is not None
    learned, _ = OnlinePosterior.from_bytes(saved.online).predict([held.outcome.model_id], np.array(held.basis))
    assert learned[0] > 0
    store.close()
