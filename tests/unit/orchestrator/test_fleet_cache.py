import asyncio
import logging

import pytest

from neuroforge.contracts.fleet import ModelActivity
from neuroforge.contracts.models import ModelState
from neuroforge.orchestrator.fleet_cache import FleetCache
from tests.fakes import FakeClock, FakeFleet, endpoint


class StopLoop(BaseException):
    """Leaves a loop that outlives every Exception."""


class CountedSleep:
    """Ends the loop after some rounds."""

    def __init__(self, n_rounds: int) -> None:
        self.n_rounds = n_rounds
        self.periods_s: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.periods_s.append(seconds)
        if len(self.periods_s) == self.n_rounds:
            raise StopLoop


def cache_of(fleet: FakeFleet, clock: FakeClock | None = None) -> FleetCache:
    return FleetCache(fleet, "gateway-1", clock or FakeClock())


async def test_before_the_first_exchange_there_is_version_0() -> None:
    assert cache_of(FakeFleet(endpoint("a"))).snapshot.version == 0


async def test_a_refresh_brings_the_fleet() -> None:
    cache = cache_of(FakeFleet(endpoint("a")))
    await cache.refresh()
    assert cache.snapshot.find("a") == endpoint("a")


async def test_use_is_reported_and_counted_once() -> None:
    fleet, clock = FakeFleet(endpoint("a")), FakeClock(50.0)
    cache = cache_of(fleet, clock)
    cache.started("a")
    cache.started("a")
    cache.finished("a")
    await cache.refresh()
    await cache.refresh()
    first, second = (report.activities for report in fleet.reports)
    assert first == (ModelActivity(model_id="a", n_in_flight=1, last_used_s=50.0, n_requests=2),)
    assert second == (ModelActivity(model_id="a", n_in_flight=1, last_used_s=50.0, n_requests=0),)


async def test_use_of_a_failed_exchange_is_reported_later() -> None:
    fleet = FakeFleet(endpoint("a"))
    cache = cache_of(fleet)
    cache.started("a")
    fleet.failure = ConnectionError("controller is away")
    with pytest.raises(ConnectionError):
        await cache.refresh()
    fleet.failure = None
    await cache.refresh()
    assert fleet.reports[0].activities[0].n_requests == 1


async def test_the_loop_outlives_a_controller_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    fleet, sleep = FakeFleet(endpoint("a")), CountedSleep(3)
    cache = FleetCache(fleet, "gateway-1", FakeClock(), period_s=1.0, sleep=sleep)
    await cache.refresh()
    fleet.failure = ConnectionError("controller is away")
    with caplog.at_level(logging.WARNING), pytest.raises(StopLoop):
        await cache.run()
    assert cache.n_failures == 3
    assert len(caplog.records) == 3
    assert cache.snapshot.find("a") is not None
    assert sleep.periods_s == [1.0, 1.0, 1.0]


async def test_a_load_request_brings_the_new_state_along() -> None:
    cache = cache_of(FakeFleet(endpoint("a", state=ModelState.UNLOADED)))
    await cache.refresh()
    await cache.request_load("a")
    model = cache.snapshot.find("a")
    assert model is not None
    assert model.state == ModelState.LOADING


async def test_a_waiter_wakes_at_the_next_change() -> None:
    fleet = FakeFleet(endpoint("a", state=ModelState.LOADING))
    cache = cache_of(fleet)
    await cache.refresh()
    waiter = asyncio.create_task(cache.wait_for_change(60.0))
    await asyncio.sleep(0)
    await cache.refresh()
    assert not waiter.done()
    fleet.put(endpoint("a"))
    await cache.refresh()
    assert (await waiter).find("a") == endpoint("a")


async def test_a_waiter_gets_the_same_copy_after_its_timeout() -> None:
    cache = cache_of(FakeFleet(endpoint("a")))
    await cache.refresh()
    assert await cache.wait_for_change(0.001) is cache.snapshot
