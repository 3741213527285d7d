"""A new model is asked a few chosen questions, and the running router uses what its scores said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroforge.datasets.pipeline import Source
from neuroforge.datasets.probe import ProbePlan, ProbeResult, place
from neuroforge.errors import DataError, EngineUnavailable, ModelNotFound
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit_bytes import load_router_bytes
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from neuroforge.router.place import LinearPlacer
from neuroforge.router.posterior_prior import PosteriorPrior
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.storage.outcomes import open_outcomes
from tests.fakes import FakeClock, FakeMetrics
from tests.unit.datasets.fakes import FakeAssets
from tests.unit.router.fit.worlds import make_embedder
from tests.unit.router.learning import DAY_S, FakeRules, SetClock
from tests.unit.router.live_fleet import LiveFleet

N_QUESTIONS, N_PROBES = 60, 12


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    return make_embedder(tmp_path_factory.mktemp("embedder"))


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    rows = [
        {"question": f"{'which river' if n % 2 else 'return array'} {n}", "reference": "yes", "scorer": "normalized"}
        for n in range(N_QUESTIONS)
    ]
    path = tmp_path / "quiz.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


Start = Callable[..., LiveFleet]


@pytest.fixture
def start(tmp_path: Path, embedder: StaticEmbedder) -> Start:
    def build(reply: str = "yes", record: str = "stats", model_ids: tuple[str, ...] = ("old", "new")) -> LiveFleet:
        clock = SetClock()
        store = open_outcomes(f"sqlite:///{tmp_path / 'outcomes.db'}")
        prior_of = PosteriorPrior(embedder, load_router_bytes)
        options = LearnerOptions(record, 30 * DAY_S, 7 * DAY_S)  # type: ignore[arg-type]
        learner = Learner(store, FakeRules(), prior_of, options, clock)
        router = LearnedRouter(FakeClock(), clock, FakeMetrics(), load_router_bytes, RouterOptions())
        router.knowledge.equip(embedder)
        return LiveFleet(router, learner, clock, lambda _model, _query: reply, model_ids)

    return build


def run(fleet: LiveFleet, quiz: Path, model_id: str = "new") -> ProbeResult:
    plan = ProbePlan(model_id, (Source(str(quiz)),), N_PROBES)
    return place(plan, fleet, FakeAssets(quiz.parent), Sandbox(), LinearPlacer(), sleep=fleet.sleep)


def test_only_the_new_model_is_asked_and_each_question_once(start: Start, quiz: Path) -> None:
    fleet = start()
    result = run(fleet, quiz)
    assert {model for model, _ in fleet.asked} == {"new"}
    assert len({query for _, query in fleet.asked}) == len(fleet.asked) == N_PROBES
    assert (result.n_pool, result.n_learned, result.mean_score, result.unscored) == (N_QUESTIONS, N_PROBES, 1.0, {})


@pytest.mark.parametrize(("reply", "chosen"), [("yes", "new"), ("no", "old")])
def test_auto_uses_the_placement_at_once(start: Start, quiz: Path, reply: str, chosen: str) -> None:
    fleet = start(reply)
    result = run(fleet, quiz)
    decision = fleet.route(
        [{"role": "user", "content": "which king"}], "auto", neuroforge={"route": {"explore": False}}
    )
    assert decision.model_id == chosen
    assert (result.quality_after > result.quality_before) == (reply == "yes")


def test_the_placement_survives_a_restart(start: Start, quiz: Path) -> None:
    result = run(start(), quiz)
    again = start()
    decision = again.route(
        [{"role": "user", "content": "which king"}], "auto", neuroforge={"route": {"explore": False}}
    )
    quality = {one.model_id: one.prediction.quality for one in decision.candidates if one.prediction is not None}
    assert quality["new"] > result.quality_before + 0.1


def test_where_nothing_is_recorded_nothing_is_asked(start: Start, quiz: Path) -> None:
    fleet = start(record="none")
    with pytest.raises(DataError, match=r"router\.record: none"):
        run(fleet, quiz)
    assert fleet.asked == []


def test_a_model_that_is_not_hosted_is_named(start: Start, quiz: Path) -> None:
    with pytest.raises(ModelNotFound, match="does not host 'newer'"):
        run(start(), quiz, "newer")


def test_a_fleet_of_one_model_needs_no_placement(start: Start, quiz: Path) -> None:
    with pytest.raises(EngineUnavailable, match="a second hosted model"):
        run(start(model_ids=("new",)), quiz)
