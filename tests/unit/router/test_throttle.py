from neuroforge.router.throttle import Throttle
from tests.fakes import FakeClock


def test_a_burst_passes_and_then_a_steady_rate() -> None:
    clock = FakeClock()
    throttle = Throttle(clock, per_s=2.0, burst=3)
    at_once = [throttle.admit() for _ in range(4)]
    clock.advance(0.5)
    later = [throttle.admit() for _ in range(2)]
    assert (at_once, later) == ([True, True, True, False], [True, False])
