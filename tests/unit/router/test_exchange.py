import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.outcomes import LearnerReply, LearnerSnapshot, RecordLevel
from neuroforge.contracts.routing import Outcome
from neuroforge.errors import DataError, EngineUnavailable
from neuroforge.router.classify import load_seeds
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.exchange import BATCH, DROPPED, EMBEDDER_RETRY_S, EXCHANGE_FAILURES, MAX_TRIES, RouterExchange
from neuroforge.router.learner_input import LearnerReport
from neuroforge.router.pipeline import FAILURES, LearnedRouter, RouterOptions
from neuroforge.storage.outcome_rows import OutcomeRow
from tests.fakes import FakeClock, FakeMetrics, endpoint, routing_request, snapshot
from tests.unit.router.test_pipeline import load_fitted
from tests.unit.router.tiny import word_embedder
from tests.unit.router.weighing import learner_snapshot

FLEET = snapshot(endpoint("a"), endpoint("b"))
BODY = {"messages": [{"role": "user", "content": "Write a function"}]}


class FakeLearner:
    """Answers with `snapshot`, once for each version; raises `error`."""

    def __init__(self, newest: LearnerSnapshot | None = None) -> None:
        self.newest = newest
        self.error: Exception | None = None
        self.reports: list[LearnerReport] = []

    async def exchange(self, report: LearnerReport) -> LearnerReply:
        if self.error is not None:
            raise self.error
        self.reports.append(report)
        is_news = self.newest is not None and report.known_version < self.newest.version
        return LearnerReply(snapshot=self.newest if is_news else None)

    @property
    def rows(self) -> list[OutcomeRow]:
        return [row for report in self.reports for row in report.rows]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    words = sorted({word.lower() for text in load_seeds()[0] for word in text.split() if word.isalpha()})
    return word_embedder(Path(tmp_path_factory.mktemp("embedder")), words, dimension=64)


class Bench:
    """A router with an exchange to a fake learner."""

    def __init__(self, embedder: StaticEmbedder | None, level: RecordLevel = "stats") -> None:
        self.clock, self.metrics = FakeClock(), FakeMetrics()
        self.learner = FakeLearner(learner_snapshot(version=3, fit_id="f", fit=b"good"))
        self.router = LearnedRouter(self.clock, self.clock, self.metrics, load_fitted, RouterOptions(record=level))
        self.embedder = embedder
        self.exchange = RouterExchange(
            self.learner,
            self.router,
            level,
            self.load_embedder,
            metrics=self.metrics,
            clock=self.clock,
            sleep=self.sleep,
        )
        self.n_loads = 0
        self.n_sleeps = 0

    def load_embedder(self) -> StaticEmbedder:
        self.n_loads += 1
        if self.embedder is None:
            raise DataError("no files")
        return self.embedder

    async def sleep(self, seconds: float) -> None:
        self.n_sleeps += 1
        await self.clock.sleep(seconds)

    async def run_until(self, n_reports: int) -> None:
        task = asyncio.create_task(self.exchange.run())
        async with asyncio.timeout(20):
            while len(self.learner.reports) < n_reports:
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def answer(self, n: int = 1, **changes: Any) -> None:
        for number in range(n):
            request = routing_request(policy="auto:best", body=BODY, request_id=f"r{number}", actor="k1")
            decision = self.router.decide(request, FLEET)
            self.router.started(decision)
            told = {"decision_id": decision.decision_id, "request_id": "r", "model_id": decision.model_id}
            self.router.finished(Outcome(**{**told, "policy": "auto", "status": 200, "latency_s": 1.0, **changes}))


async def test_the_first_exchange_brings_the_snapshot(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    await bench.run_until(2)
    assert [(one.known_version, one.known_fit) for one in bench.learner.reports[:2]] == [(0, ""), (3, "f")]
    assert bench.router.decide(routing_request(policy="auto:best", body=BODY), FLEET).router_version == 3


async def test_outcomes_are_handed_over_with_what_teaches(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    await bench.run_until(2)
    bench.answer()
    await bench.exchange.once()
    (row,) = bench.learner.rows
    assert (row.actor, row.model_id, row.base_quality) == ("k1", "a", pytest.approx(0.8))
    assert row.basis is not None
    assert (row.embedding, row.prompt, row.answer) == (None, None, None)


async def test_each_level_keeps_what_it_says(embedder: StaticEmbedder) -> None:
    kept: dict[str, OutcomeRow] = {}
    for level in ("stats", "embedding", "text"):
        bench = Bench(embedder, level)
        await bench.run_until(2)
        bench.answer(answer="done")
        await bench.exchange.once()
        (kept[level],) = bench.learner.rows
    shown = {name: (one.embedding is not None, one.prompt, one.answer) for name, one in kept.items()}
    assert shown == {
        "stats": (False, None, None),
        "embedding": (True, None, None),
        "text": (True, "Write a function", "done"),
    }
    assert np.frombuffer(kept["embedding"].embedding or b"", dtype="<f2").shape == (64,)
    assert ["done" in one.outcome for one in kept.values()] == [False, False, False]


async def test_a_full_batch_does_not_wait_for_the_period(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    await bench.run_until(2)
    bench.answer(BATCH)
    before_s = bench.clock.now_s
    await bench.exchange.once()
    assert (len(bench.learner.rows), bench.clock.now_s) == (BATCH, before_s)


async def test_too_many_are_dropped_and_counted(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    bench.router.buffer._max = 5
    bench.answer(8)
    await bench.exchange.once()
    assert (len(bench.learner.rows), bench.learner.reports[0].n_dropped, bench.metrics.counts[DROPPED]) == (5, 3, 3)


async def test_what_a_learner_that_is_away_did_not_get_it_gets_later(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    bench.answer(4)
    bench.learner.error = EngineUnavailable("the learner does not answer")
    with pytest.raises(EngineUnavailable):
        await bench.exchange.once()
    bench.answer(2)
    bench.learner.error = None
    await bench.exchange.once()
    await bench.exchange.once()
    assert [len(one.rows) for one in bench.learner.reports] == [4, 2]
    assert [one.n_dropped for one in bench.learner.reports] == [0, 0]


async def test_a_batch_that_is_always_refused_is_given_up_and_counted(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    bench.answer(4)
    bench.learner.error = EngineUnavailable("refused")
    for _ in range(MAX_TRIES):
        with pytest.raises(EngineUnavailable):
            await bench.exchange.once()
    bench.learner.error = None
    await bench.exchange.once()
    assert (len(bench.learner.rows), bench.learner.reports[0].n_dropped) == (0, 4)


async def test_the_end_hands_over_what_is_left(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    task = asyncio.create_task(bench.exchange.run())
    while not bench.learner.reports:
        await asyncio.sleep(0.001)
    bench.answer(3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(bench.learner.rows) == 3


async def test_the_loop_survives_a_learner_that_is_away(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    bench.learner.error = EngineUnavailable("away")
    task = asyncio.create_task(bench.exchange.run())
    while bench.metrics.counts.get(EXCHANGE_FAILURES, 0) < 2:
        await asyncio.sleep(0.001)
    bench.learner.error = None
    while not bench.learner.reports:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_snapshot_that_cannot_be_used_is_not_asked_for_again(embedder: StaticEmbedder) -> None:
    bench = Bench(embedder)
    bench.router.knowledge.equip(embedder)
    bench.learner.newest = learner_snapshot(version=5, fit_id="f", fit=b"bad")
    with pytest.raises(DataError):
        await bench.exchange.once()
    await bench.exchange.once()
    assert [one.known_version for one in bench.learner.reports] == [0, 5]


async def test_a_missing_embedder_is_asked_for_again_after_a_while() -> None:
    bench = Bench(None)
    await bench.exchange._equip()
    await bench.exchange._equip()
    bench.clock.advance(EMBEDDER_RETRY_S)
    await bench.exchange._equip()
    assert (bench.n_loads, bench.metrics.counts[FAILURES]) == (2, 2)
