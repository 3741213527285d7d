"""RowPacker: when rows are made, how many at once, and what becomes of one that cannot be."""

import asyncio
from typing import Any

import pytest

from neuroforge.contracts.routing import Outcome
from neuroforge.router import pack
from neuroforge.router.pack import AT_ONCE, RowPacker
from neuroforge.router.pipeline import FAILURES, LearnedRouter, RouterOptions
from neuroforge.router.records import Finished
from tests.fakes import FakeClock, FakeMetrics, endpoint, routing_request, snapshot
from tests.unit.router.test_pipeline import load_fitted

FLEET = snapshot(endpoint("a"))


class BrokenRouter(LearnedRouter):
    """Its learned part does not work."""

    def describe(self, finished: Finished) -> Finished:
        raise ValueError("broken")


class Bench:
    def __init__(self, kind: type[LearnedRouter] = LearnedRouter) -> None:
        self.metrics = FakeMetrics()
        self.router = kind(FakeClock(), FakeClock(), self.metrics, load_fitted, RouterOptions())
        self.packer = RowPacker(self.router, "stats", self.metrics)

    def answer(self, n: int = 1) -> None:
        for _ in range(n):
            decision = self.router.decide(routing_request("a"), FLEET)
            told: dict[str, Any] = {"decision_id": decision.decision_id, "request_id": "r", "model_id": "a"}
            self.router.finished(Outcome(**told, policy="explicit", status=200, latency_s=1.0))

    @property
    def n_packed(self) -> int:
        return len(self.packer) - len(self.router.buffer)


async def test_an_outcome_is_packed_after_its_requests_step() -> None:
    bench = Bench()
    bench.packer.start()
    bench.answer()
    assert (bench.n_packed, len(bench.packer)) == (0, 1)
    await asyncio.sleep(0)
    assert (bench.n_packed, len(bench.packer)) == (1, 1)


async def test_of_many_a_few_are_packed_in_one_turn_of_the_loop() -> None:
    bench = Bench()
    bench.packer.start()
    bench.answer(AT_ONCE + 3)
    await asyncio.sleep(0)
    assert bench.n_packed == AT_ONCE
    await asyncio.sleep(0)
    assert bench.n_packed == AT_ONCE + 3


async def test_what_comes_while_the_batch_is_full_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_BATCH", 4)
    bench = Bench()
    bench.packer.start()
    bench.answer(6)
    await asyncio.sleep(0)
    assert (bench.n_packed, len(bench.packer)) == (4, 6)
    assert [len(await bench.packer.take()) for _ in range(3)] == [4, 2, 0]


async def test_without_a_start_a_batch_is_packed_when_it_is_taken() -> None:
    bench = Bench()
    bench.answer(2)
    bench.packer.stop()
    assert len(await bench.packer.take()) == 2
    assert len(bench.packer) == 0


async def test_one_that_cannot_be_packed_is_lost_and_counted() -> None:
    bench = Bench(BrokenRouter)
    bench.answer()
    assert await bench.packer.take() == ()
    assert (bench.metrics.counts[FAILURES], bench.router.buffer.take_dropped()) == (1, 1)
