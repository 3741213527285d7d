from pathlib import Path

from neuroforge.experiments.reporting.pick import MAX_ITEMS, pick_items
from tests.unit.experiments.analysis.tables import table_of
from tests.unit.experiments.synthetic import cell


def test_wins_both_ways_and_what_nobody_solves_come_first(tmp_path: Path) -> None:
    scores = dict.fromkeys(range(400), (1.0, 1.0)) | {399: (1.0, 0.0), 398: (0.0, 1.0), 397: (0.0, 0.0)}
    rows = [cell(one, f"{item:03}", pair["ab".index(one)]) for item, pair in scores.items() for one in "ab"]
    rows[2 * 396] = cell("a", "396", error_code="gone")
    picked = pick_items(table_of(tmp_path, rows))
    assert picked[:4] == (399, 398, 397, 396)
    assert len(picked) == len(set(picked)) == MAX_ITEMS


def test_the_larger_difference_comes_first(tmp_path: Path) -> None:
    rows = [cell("a", str(item), item / 10) for item in range(5)] + [cell("b", str(item), 0.0) for item in range(5)]
    assert pick_items(table_of(tmp_path, rows))[0] == 4


def test_items_on_which_every_call_failed_are_shown_too(tmp_path: Path) -> None:
    rows = [cell("a", str(item), error_code="gone") for item in range(3)]
    assert sorted(pick_items(table_of(tmp_path, rows, ["a"]))) == [0, 1, 2]
