from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from neuroforge.errors import DataError
from neuroforge.experiments.table import read_cells, read_texts
from tests.unit.experiments.synthetic import cell, write_cells

NAN = float("nan")


def test_a_failed_call_is_missing_and_not_zero(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0), cell("b", "1", error_code="engine_timeout")]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a", "b"])
    np.testing.assert_array_equal(table.item_means(table.scores), [[1.0, NAN]])


def test_an_answer_that_was_not_scored_is_missing_and_not_zero(tmp_path: Path) -> None:
    table = read_cells(write_cells(tmp_path / "cells.parquet", [cell("a", "1", None), cell("a", "2", 0.0)]), ["a"])
    np.testing.assert_array_equal(table.item_means(table.scores), [[NAN], [0.0]])


def test_repeats_become_the_mean_of_those_that_were_scored(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0), cell("a", "1", 0.0, repeat=1), cell("a", "1", None, repeat=2)]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"])
    assert table.item_means(table.scores).tolist() == [[0.5]]


def test_columns_follow_the_variants_and_rows_the_items(tmp_path: Path) -> None:
    rows = [cell("b", "2", 0.2), cell("a", "1", 0.1), cell("b", "1", 0.3), cell("a", "2", 0.4)]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a", "b"])
    assert [item.id for item in table.items] == ["1", "2"]
    assert table.item_means(table.scores).tolist() == [[0.1, 0.3], [0.4, 0.2]]


def test_the_same_id_in_two_datasets_is_two_items(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0, cell_id="x"), cell("a", "1", 0.0, cell_id="y", dataset="other")]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"])
    assert [(item.dataset, item.id) for item in table.items] == [("other", "1"), ("quiz", "1")]


def test_a_reply_from_the_cache_has_a_cost_but_no_speed(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0, is_cached=True, cost_usd=0.5), cell("a", "2", 1.0, latency_s=0.25, cost_usd=0.25)]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"])
    np.testing.assert_array_equal(table.latency_s, [NAN, 0.25])
    np.testing.assert_array_equal(table.tokens_per_s, [NAN, 8.0])
    np.testing.assert_array_equal(table.costs_usd, [0.5, 0.25])


def test_passages_and_paraphrases_make_clusters(tmp_path: Path) -> None:
    rows = [
        cell("a", "1", 1.0, group="p"),
        cell("a", "2", 1.0, group="p"),
        cell("a", "3", 1.0, paraphrase_of="1"),
        cell("a", "4", 1.0),
    ]
    table = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"])
    assert table.clusters.tolist() == [0, 0, 0, 1]
    assert table.paraphrases.tolist() == [0, 1, 0, 2]


def test_answers_are_the_same_without_case_and_spaces(tmp_path: Path) -> None:
    rows = [
        cell("a", "1", 1.0, answer=" Yes\n"),
        cell("a", "2", 1.0, answer=None, reply="yes"),
        cell("a", "3", 1.0, answer="no"),
        cell("a", "4", error_code="engine_timeout"),
    ]
    keys = read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"]).answer_keys.tolist()
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert keys[3] == -1


def test_a_cell_of_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="variant 'b' is not of this experiment; it has a"):
        read_cells(write_cells(tmp_path / "cells.parquet", [cell("b", "1", 1.0)]), ["a"])


def test_a_cell_that_stands_twice_is_refused(tmp_path: Path) -> None:
    rows = [cell("a", "1", 1.0), cell("a", "1", 0.0)]
    with pytest.raises(DataError, match="stands twice"):
        read_cells(write_cells(tmp_path / "cells.parquet", rows), ["a"])


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write_cells(tmp_path / "cells.parquet", [cell("a", "1", 1.0)])
    pq.write_table(pq.read_table(path).drop_columns(["ttft_s"]), path)
    with pytest.raises(DataError, match="columns ttft_s are missing"):
        read_cells(path, ["a"])


def test_no_cell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no cell has been done"):
        read_cells(write_cells(tmp_path / "cells.parquet", []), ["a"])


def test_a_file_that_is_not_parquet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cells.parquet").write_text("no")
    with pytest.raises(DataError, match="not a readable table"):
        read_cells(tmp_path / "cells.parquet", ["a"])


def test_texts_are_read_for_the_cells_that_are_asked_for(tmp_path: Path) -> None:
    path = write_cells(tmp_path / "cells.parquet", [cell("a", "1", 1.0), cell("a", "2", 0.0, reply="nay")])
    assert {name: text["reply"] for name, text in read_texts(path, ["a/2/0"]).items()} == {"a/2/0": "nay"}
