from pathlib import Path

from neuroforge.experiments.analysis.failures import MAX_REASONS, count_failures
from tests.unit.experiments.analysis.tables import table_of
from tests.unit.experiments.synthetic import cell


def test_errors_and_unscored_answers_are_told_by_variant(tmp_path: Path) -> None:
    rows = [
        cell("a", "1", 1.0),
        cell("b", "1", error_code="engine_timeout"),
        cell("b", "2", error_code="engine_timeout"),
        cell("b", "3", None, score_reason="no number"),
    ]
    found = count_failures(table_of(tmp_path, rows))
    assert found == {"b": {"engine_timeout": 2, "not scored: no number": 1}}


def test_reasons_beyond_the_most_frequent_are_added_up(tmp_path: Path) -> None:
    rows = [cell("a", str(one), None, score_reason=f"reason {one}") for one in range(MAX_REASONS + 5)]
    found = count_failures(table_of(tmp_path, rows, ["a"]))["a"]
    assert len(found) == MAX_REASONS + 1
    assert found["other reasons"] == 5
