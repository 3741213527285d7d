"""Budgets, shared by writers."""

from multiprocessing import get_context
from pathlib import Path

from neuroforge.contracts.experiments import Budget
from neuroforge.experiments.ledger import Ledger
from tests.fakes import FakeClock

BUDGET = Budget(max_calls=100)


def take_all(directory: str) -> int:
    ledger = Ledger(Path(directory), BUDGET)
    n_admitted = sum(ledger.admit(is_priced=False) for _ in range(80))
    ledger.close()
    return n_admitted


def test_calls_are_exact_over_processes(tmp_path: Path) -> None:
    Ledger.start(tmp_path, BUDGET).close()
    with get_context("fork").Pool(3) as pool:
        assert sum(pool.map(take_all, [str(tmp_path)] * 3)) == 100


def test_the_first_reason_stays(tmp_path: Path) -> None:
    ledger = Ledger.start(tmp_path, Budget(max_calls=1))
    assert ledger.stopped_by is None
    assert ledger.admit(is_priced=False)
    assert not ledger.admit(is_priced=False)
    ledger.stop("cancelled")
    assert ledger.stopped_by == "max_calls"
    ledger.close()


def test_a_new_run_begins_anew(tmp_path: Path) -> None:
    first = Ledger.start(tmp_path, Budget(max_calls=1))
    assert first.admit(is_priced=True)
    first.close()
    second = Ledger.start(tmp_path, Budget(max_calls=1))
    assert second.admit(is_priced=True)
    second.close()


def test_money_stops_only_what_costs_some(tmp_path: Path) -> None:
    ledger = Ledger.start(tmp_path, Budget(max_cost_usd=1.0))
    ledger.spend(0, 1.0)
    assert ledger.admit(is_priced=False)
    assert not ledger.admit(is_priced=True)
    assert ledger.stopped_by == "max_cost_usd"
    ledger.close()


def test_time_is_counted_from_the_start_by_every_writer(tmp_path: Path) -> None:
    clock = FakeClock()
    Ledger.start(tmp_path, Budget(max_duration=10.0), clock).close()
    ledger = Ledger(tmp_path, Budget(max_duration=10.0), clock)
    clock.advance(9.5)
    assert ledger.admit(is_priced=False)
    clock.advance(0.5)
    assert not ledger.admit(is_priced=False)
    assert ledger.stopped_by == "max_duration"
    ledger.close()
