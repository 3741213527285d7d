import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.errors import EngineUnavailable
from neuroforge.orchestrator.breaker import CIRCUIT_STATE, BreakerLimits, Breakers, CircuitBreaker, Ticket
from tests.fakes import FakeClock

LIMITS = BreakerLimits(failure_share=0.5, min_calls=4, window_s=30.0, open_s=10.0)


def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(LIMITS, clock)


def call(circuit: CircuitBreaker, is_good: bool | None) -> None:
    ticket = circuit.begin()
    assert ticket is not None
    circuit.end(ticket, is_good)


def opened(clock: FakeClock) -> CircuitBreaker:
    circuit = breaker(clock)
    for _ in range(4):
        call(circuit, False)
    assert circuit.state == "open"
    return circuit


def test_it_opens_at_the_share_of_failures_once_enough_calls_were_seen() -> None:
    circuit = breaker(FakeClock())
    for is_good in (False, True, False):
        call(circuit, is_good)
    assert circuit.state == "closed"
    call(circuit, False)
    assert circuit.state == "open"


def test_failures_outside_the_window_are_forgotten() -> None:
    clock = FakeClock()
    circuit = breaker(clock)
    for _ in range(3):
        call(circuit, False)
    clock.advance(31.0)
    call(circuit, False)
    assert circuit.state == "closed"


def test_ends_that_say_nothing_do_not_count() -> None:
    circuit = breaker(FakeClock())
    for _ in range(20):
        call(circuit, None)
    call(circuit, False)
    assert circuit.state == "closed"


def test_while_open_nobody_may_call_and_the_wait_is_told() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.advance(4.0)
    assert circuit.begin() is None
    assert circuit.wait_s == pytest.approx(6.0)


def test_half_open_lets_one_trial_through() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.advance(10.0)
    assert circuit.state == "half_open"
    assert circuit.begin() is not None
    assert circuit.begin() is None


@pytest.mark.parametrize(("is_good", "state"), [(True, "closed"), (False, "open"), (None, "half_open")])
def test_the_trial_decides(is_good: bool | None, state: str) -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.advance(10.0)
    call(circuit, is_good)
    assert circuit.state == state
    assert (circuit.wait_s > 0) == (state == "open")


def test_a_trial_that_takes_too_long_makes_room_for_another() -> None:
    clock = FakeClock()
    circuit = opened(clock)
    clock.advance(10.0)
    slow = circuit.begin()
    clock.advance(10.0)
    assert circuit.begin() is not None
    assert slow is not None
    circuit.end(slow, False)
    assert circuit.state == "half_open", "the slow trial no longer decides"


def test_calls_from_before_the_opening_say_nothing_afterwards() -> None:
    clock = FakeClock()
    circuit = breaker(clock)
    early = circuit.begin()
    assert early is not None
    for _ in range(4):
        call(circuit, False)
    clock.advance(10.0)
    circuit.end(early, True)
    assert circuit.state == "half_open"


@given(st.lists(st.tuples(st.sampled_from(["begin", "good", "bad", "none"]), st.floats(0, 12)), max_size=80))
def test_the_state_machine_keeps_its_promises(steps: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    circuit = breaker(clock)
    tickets: list[Ticket] = []
    trial_at_s = -1e9
    for step, pause_s in steps:
        clock.advance(pause_s)
        state = circuit.state
        if step == "begin":
            ticket = circuit.begin()
            assert (ticket is not None) or state != "closed", "a closed circuit lets every call through"
            assert ticket is None or state != "open", "an open one none"
            if ticket is not None and state == "half_open":
                assert clock() - trial_at_s >= LIMITS.open_s, "one trial at a time"
                trial_at_s = clock()
            if ticket is not None:
                tickets.append(ticket)
        elif tickets:
            circuit.end(tickets.pop(0), {"good": True, "bad": False, "none": None}[step])
            if circuit.state == "half_open" and circuit.wait_s == 0:
                trial_at_s = -1e9
            if state == "open":
                assert circuit.state == "open", "no late end closes an open circuit"
            if circuit.state != state and circuit.state == "closed":
                assert step == "good"


class GaugeMetrics:
    def __init__(self) -> None:
        self.values: list[tuple[str, float, str]] = []

    def count(self, name: str, value: float = 1.0, tags: object = None) -> None: ...

    def observe(self, name: str, value: float, tags: object = None) -> None: ...

    def set(self, name: str, value: float, tags: dict[str, str] | None = None) -> None:
        self.values.append((name, value, (tags or {})["model"]))


def test_each_model_has_its_own_circuit_and_changes_are_a_metric() -> None:
    clock, metrics = FakeClock(), GaugeMetrics()
    breakers = Breakers(LIMITS, clock, metrics)
    for _ in range(4):
        breakers.end("bad", breakers.begin("bad"), False)
        breakers.end("good", breakers.begin("good"), True)
    assert breakers.open_models() == {"bad"}
    with pytest.raises(EngineUnavailable) as caught:
        breakers.begin("bad")
    assert caught.value.context["retry_after_s"] == pytest.approx(10.0)
    clock.advance(10.0)
    assert breakers.open_models() == frozenset()
    breakers.end("bad", breakers.begin("bad"), True)
    assert [(value, model) for _, value, model in metrics.values] == [(2, "bad"), (1, "bad"), (0, "bad")]
    assert {name for name, _, _ in metrics.values} == {CIRCUIT_STATE}
