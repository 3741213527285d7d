from pathlib import Path

from neuroforge.experiments.analysis.metrics import measure_metrics
from tests.unit.experiments.analysis.tables import answers, table_of
from tests.unit.experiments.synthetic import cell


def test_what_was_never_measured_is_left_out(tmp_path: Path) -> None:
    table = table_of(tmp_path, [cell("a", "1", 1.0, is_cached=True)], ["a"])
    assert [one.name for one in measure_metrics(table, ("quality",))] == ["quality", "cost_usd"]


def test_repeats_tell_consistency_unasked(tmp_path: Path) -> None:
    table = table_of(tmp_path, answers("a", "1", "x", "y"), ["a"])
    assert "consistency" in [one.name for one in measure_metrics(table, ("quality",))]


def test_consistency_that_is_asked_for_is_there_without_values(tmp_path: Path) -> None:
    table = table_of(tmp_path, answers("a", "1", "x"), ["a"])
    assert "consistency" in [one.name for one in measure_metrics(table, ("consistency",))]
