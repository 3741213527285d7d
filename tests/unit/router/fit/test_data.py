import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.errors import DataError
from neuroforge.router.fit.data import build_table, read_outcomes, read_queries
from neuroforge.router.fit.parse import Row, parse_row
from neuroforge.router.fit.rows import RawRow, RowError

GOOD = {"query": "one", "scores": {"a": 1, "b": 0.25}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def write(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_scores_are_read_by_model(tmp_path: Path) -> None:
    table = read_outcomes(write(tmp_path / "o.jsonl", GOOD))
    assert table.model_ids == ("a", "b")
    assert table.scores.tolist() == [[1.0, 0.25]]


def test_a_missing_score_is_unknown(tmp_path: Path) -> None:
    table = read_outcomes(write(tmp_path / "o.jsonl", GOOD, {"query": "two", "scores": {"b": 0.5, "a": None}}))
    assert table.is_known.tolist() == [[True, True], [False, True]]


def test_booleans_count_as_nought_and_one(tmp_path: Path) -> None:
    table = read_outcomes(write(tmp_path / "o.jsonl", {"query": "q", "scores": {"a": True, "b": False}}))
    assert table.scores.tolist() == [[1.0, 0.0]]


def test_an_unknown_cost_is_the_models_mean(tmp_path: Path) -> None:
    rows = [{**GOOD, "costs": {"a": 1, "b": 4}}, {**GOOD, "costs": {"a": 3}}]
    costs = read_outcomes(write(tmp_path / "o.jsonl", *rows)).costs_usd
    assert costs is not None
    assert costs.tolist() == [[1.0, 4.0], [3.0, 4.0]]


def test_costs_of_some_models_only_are_no_costs(tmp_path: Path) -> None:
    assert read_outcomes(write(tmp_path / "o.jsonl", {**GOOD, "costs": {"a": 1}})).costs_usd is None


def test_other_columns_and_blank_lines_are_ignored(tmp_path: Path) -> None:
    assert len(read_outcomes(write(tmp_path / "o.jsonl", GOOD, "", {**GOOD, "comment": "x"}))) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"scores": {"a": 1}}, "column 'query': missing"),
        ({"scores": {"a": 1}, "decision_id": "d"}, "column 'query': missing: no text was recorded of this request"),
        (
            {"scores": {"a": 1}, "decision_id": "d", "embedding": [0.5]},
            "column 'query': missing: only its embedding was recorded",
        ),
        ({"query": " ", "scores": {"a": 1}}, "column 'query': empty"),
        ({"query": 7, "scores": {"a": 1}}, "column 'query': 7 is not text"),
        ({"query": "q"}, "column 'scores': missing"),
        ({"query": "q", "scores": {"a": None}}, "column 'scores': missing"),
        ({"query": "q", "scores": [1, 2]}, "column 'scores': .* is not an object"),
        ({"query": "q", "scores": {"a": 1.5}}, r"column 'scores\.a': 1\.5 is not 0\.\.1"),
        ({"query": "q", "scores": {"a": -0.1}}, r"column 'scores\.a': -0\.1 is not 0\.\.1"),
        ({"query": "q", "scores": {"a": "1"}}, r"column 'scores\.a': '1' is not a number"),
        ({"query": "q", "scores": {"a": 1}, "costs": {"a": -1}}, r"column 'costs\.a': -1 is not 0 or more"),
        ({"query": "q", "scores": {"a": 1}, "task": 3}, "column 'task': 3 is not text"),
        ([1], "not a JSON object"),
        ("{broken", "not JSON"),
    ],
)
def test_a_bad_row_is_named_and_the_good_ones_are_counted(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"1 bad rows, 2 good ones: row 2.*{message}"):
        read_outcomes(write(tmp_path / "o.jsonl", GOOD, row, GOOD))


def test_bad_rows_can_be_skipped(tmp_path: Path) -> None:
    assert len(read_outcomes(write(tmp_path / "o.jsonl", GOOD, "{broken"), skip_bad_rows=True)) == 1


def test_a_file_without_a_good_row_is_refused_even_when_skipping(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 good ones"):
        read_outcomes(write(tmp_path / "o.jsonl", "{broken"), skip_bad_rows=True)


def test_only_the_first_bad_rows_are_described(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"9 bad rows.*row 5.*and 4 more$"):
        read_outcomes(write(tmp_path / "o.jsonl", *["x"] * 9))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="no rows"):
        read_outcomes(write(tmp_path / "o.jsonl", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jsonl: no such file"):
        read_outcomes(tmp_path / "gone.jsonl")


def test_parquet_structs_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{**GOOD, "task": "t"}]), tmp_path / "o.parquet")
    table = read_outcomes(tmp_path / "o.parquet")
    assert (table.scores.tolist(), table.tasks) == ([[1.0, 0.25]], ("t",))


def test_parquet_maps_are_read(tmp_path: Path) -> None:
    kind = pa.schema([("query", pa.string()), ("scores", pa.map_(pa.string(), pa.float64()))])
    pq.write_table(pa.Table.from_pylist([{"query": "q", "scores": [("a", 0.5)]}], kind), tmp_path / "o.parquet")
    assert read_outcomes(tmp_path / "o.parquet").scores.tolist() == [[0.5]]


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_outcomes(tmp_path / "o.parquet")


def test_queries_need_no_scores(tmp_path: Path) -> None:
    assert read_queries(write(tmp_path / "q.jsonl", {"query": "b"}, {"query": "a"})) == ("b", "a")


def test_a_table_can_be_cut_to_some_models() -> None:
    table = build_table([Row("1", {"a": 0.5, "b": 1.0}, {}, None), Row("2", {"a": 0.5}, {}, None)])
    cut = table.select_models(["b"])
    assert (cut.queries, cut.scores.tolist()) == (("1",), [[1.0]])


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no outcome of c in the file; it has a"):
        build_table([Row("1", {"a": 0.5}, {}, None)]).select_models(["c"])


@given(values=st.dictionaries(st.sampled_from(["query", "scores", "costs", "task", "x"]), JSON))
def test_any_row_is_either_good_or_an_error_that_names_its_column(values: dict[str, Any]) -> None:
    parsed = parse_row(RawRow(7, values))
    if isinstance(parsed, RowError):
        assert parsed.row == 7
        assert parsed.column.split(".")[0] in ("query", "scores", "costs", "task")
    else:
        assert parsed.query.strip()
        assert all(0 <= score <= 1 for score in parsed.scores.values())
        assert all(cost >= 0 and math.isfinite(cost) for cost in parsed.costs_usd.values())


@given(line=st.binary(max_size=40))
def test_any_bytes_that_are_no_rows_are_a_clear_error(tmp_path_factory: pytest.TempPathFactory, line: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(line)
    with pytest.raises(DataError, match=r"any\.jsonl"):
        read_outcomes(path)
