from pathlib import Path

import pytest

from neuroforge.experiments.analysis.metrics import measure_metrics
from neuroforge.experiments.analysis.summaries import Scope, find_scopes, summarise
from tests.unit.experiments.analysis.tables import table_of
from tests.unit.experiments.synthetic import cell


def test_wilson_interval_of_eight_in_ten(tmp_path: Path) -> None:
    rows = [cell("a", str(item), float(item < 32)) for item in range(40)]
    table = table_of(tmp_path, rows, ["a"])
    (found,) = summarise(table, measure_metrics(table, ())[0], Scope(), 0)
    assert found.method == "wilson"
    assert found.estimate is not None
    assert found.estimate.mean == 0.8
    # (0.8 + 3.841459 / 80 -+ 1.959964 sqrt(0.16 / 40 + 3.841459 / 6400)) / (1 + 3.841459 / 40)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.652427, 0.895000), abs=1e-6)


def test_errors_and_unscored_answers_are_counted_apart(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0), cell("a", "2", 0.0), cell("a", "3", None), cell("a", "4", error_code="gone")]
    table = table_of(tmp_path, rows, ["a"])
    (found,) = summarise(table, measure_metrics(table, ())[0], Scope(), 0)
    assert (found.n_scored, found.n_unscored, found.n_errors) == (2, 1, 1)
    assert found.estimate is not None
    assert (found.estimate.mean, found.estimate.n) == (0.5, 2)


def test_a_variant_without_a_score_has_no_estimate(tmp_path: Path) -> None:
    table = table_of(tmp_path, [cell("a", "1", 1.0), cell("b", "1", error_code="gone")])
    _, found = summarise(table, measure_metrics(table, ())[0], Scope(), 0)
    assert found.estimate is None
    assert found.method == "nothing was measured"


def test_percentiles_are_those_of_single_calls(tmp_path: Path) -> None:
    rows = [cell("a", str(item), 1.0, latency_s=float(item)) for item in range(101)]
    table = table_of(tmp_path, rows, ["a"])
    latency = next(one for one in measure_metrics(table, ()) if one.name == "latency_s")
    (found,) = summarise(table, latency, Scope(), 0)
    assert (found.p50, found.p90, found.p99) == (50.0, 90.0, 99.0)


def test_one_passage_alone_has_no_interval(tmp_path: Path) -> None:
    table = table_of(tmp_path, [cell("a", str(item), 1.0, group="p") for item in range(5)], ["a"])
    (found,) = summarise(table, measure_metrics(table, ())[0], Scope(), 0)
    assert found.estimate is None
    assert found.n_clusters == 1


def test_a_summary_does_not_hang_on_what_was_computed_before(tmp_path: Path) -> None:
    rows = [cell("a", str(item), item / 40) for item in range(40)] + [cell("b", str(item), 0.5) for item in range(40)]
    alone = table_of(tmp_path, rows[:40], ["a"])
    both = table_of(tmp_path, rows, ["b", "a"])
    (expected,) = summarise(alone, measure_metrics(alone, ())[0], Scope(), 3)
    _, found = summarise(both, measure_metrics(both, ())[0], Scope(), 3)
    assert found == expected


def test_scopes_are_everything_and_what_there_are_several_of(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0, task="math"), cell("a", "2", 1.0, task="code")]
    assert find_scopes(table_of(tmp_path, rows, ["a"])) == (Scope(), Scope(task="code"), Scope(task="math"))
