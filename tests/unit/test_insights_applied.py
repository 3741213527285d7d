"""experiment -> insights -> rules -> the router's gate -> requests: the real classes of both rooms in one process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.experiments import CellRequest
from neuroforge.contracts.rules import Exclusion, Insight
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.benchmarks import BenchmarkSuite
from neuroforge.experiments.pipeline import ExperimentationPlatform
from neuroforge.experiments.report import ReportGenerator
from neuroforge.router.fit_bytes import load_router_bytes
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from neuroforge.router.posterior_prior import PosteriorPrior
from neuroforge.router.rulebook import Rulebook
from neuroforge.storage.outcomes import open_outcomes
from neuroforge.storage.rules import SqlRulesTable
from tests.fakes import FakeClock, FakeMetrics
from tests.unit.experiments.run_fakes import Bench, FakeCaller, FakeHosted, config, items, status
from tests.unit.router.fit.worlds import make_embedder
from tests.unit.router.learning import DAY_S, SetClock
from tests.unit.router.live_fleet import LiveFleet

STRONG, WEAK = "strong", "weak"
N_LIVE = 250
ANY_ROUTE = {"route": {"explore": True}}


class Loop:
    """What the learner's actor and one gateway replica are made of."""

    def __init__(self, directory: Path) -> None:
        embedder, self.clock = make_embedder(directory / "embedder"), SetClock()
        self._store = open_outcomes(f"sqlite:///{directory / 'outcomes.db'}")
        self.rules = Rulebook(
            SqlRulesTable(self._store.database), self.clock, lambda limit: self._learner.read_scored(limit)
        )
        options = LearnerOptions("stats", 30 * DAY_S, 7 * DAY_S)
        prior_of = PosteriorPrior(embedder, load_router_bytes)
        self._learner = Learner(self._store, self.rules, prior_of, options, self.clock)
        router = LearnedRouter(FakeClock(), self.clock, FakeMetrics(), load_router_bytes, RouterOptions())
        router.knowledge.equip(embedder)
        self.fleet = LiveFleet(router, self._learner, self.clock, lambda _model, _query: "yes", (STRONG, WEAK))

    def answer(self, score: Callable[[str, int], bool]) -> None:
        """Requests that are answered, and rated by `score(model, number)` when all of them are."""
        told = [
            self.fleet.chat(f"which river {number}", "auto", neuroforge=ANY_ROUTE)["neuroforge"]
            for number in range(N_LIVE)
        ]
        models = [model_id for model_id, _ in self.fleet.asked[-N_LIVE:]]
        for number, (one, model_id) in enumerate(zip(told, models, strict=True)):
            self.fleet.feedback(one["decision_id"], float(score(model_id, number)))

    def close(self) -> None:
        self._learner.close()
        self._store.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    made = Loop(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def insights(tmp_path: Path) -> tuple[Insight, ...]:
    """Of an experiment in which `strong` is always right and `weak` on every fourth question."""

    def behave(request: CellRequest) -> str:
        is_easy = request.cell.item_id.endswith(("0", "4", "8"))
        return "yes" if request.cell.model_id == STRONG or is_easy else "no"

    bench = Bench(tmp_path, FakeCaller(behave), FakeHosted(status(STRONG), status(WEAK)))
    runner = bench.runner()
    platform = ExperimentationPlatform(runner, None, BenchmarkSuite(), ResultAnalyzer(), ReportGenerator())
    finished = await platform.finish(await platform.run_experiment(config(STRONG, WEAK), items(60)))
    runner.close()
    return finished.analysis.insights


def test_insights_that_live_outcomes_prove_are_applied_and_decide(loop: Loop, insights: tuple[Insight, ...]) -> None:
    loop.answer(lambda model_id, number: model_id == STRONG or number % 4 == 0)

    entry = loop.rules.update_rules(insights, (STRONG, WEAK))

    assert (entry.state, entry.rules.evidence, entry.note) == ("applied", "exp-1", None)
    assert entry.replay is not None
    assert entry.replay.difference.low > 0
    assert Exclusion(model_id=WEAK, task=None) in loop.rules.live.exclusions
    loop.clock.now_s += 1
    loop.fleet.exchange()
    decisions = [
        loop.fleet.route([{"role": "user", "content": f"which king {n}"}], "auto", neuroforge=ANY_ROUTE)
        for n in range(20)
    ]
    assert {(one.model_id, one.rules_version) for one in decisions} == {(STRONG, 1)}


def test_insights_alone_change_nothing(loop: Loop, insights: tuple[Insight, ...]) -> None:
    entry = loop.rules.update_rules(insights, (STRONG, WEAK))
    assert (entry.state, str(entry.note)[:19]) == ("refused", "not enough evidence")
    assert loop.rules.live.version == 0


def test_insights_that_live_outcomes_contradict_are_refused(loop: Loop, insights: tuple[Insight, ...]) -> None:
    loop.answer(lambda model_id, number: model_id == WEAK or number % 4 == 0)
    entry = loop.rules.update_rules(insights, (STRONG, WEAK))
    assert entry.state == "refused"
    assert entry.replay is not None
    assert entry.replay.difference.high < 0
    assert loop.rules.live.version == 0
