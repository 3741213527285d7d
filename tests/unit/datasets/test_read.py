import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuroforge.datasets.pipeline import Dataset, Source, load_dataset
from neuroforge.errors import DataError
from tests.unit.datasets.fakes import FakeAssets

ROW = {"question": "Which?", "choices": ["red", "blue"], "reference": "blue", "task": "colour"}
NONE = FakeAssets(Path("/nowhere"))


def load(path: Path, **options: object) -> Dataset:
    return load_dataset(str(path), NONE, **options)  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_same_row_reads_alike_in_every_format(tmp_path: Path) -> None:
    jsonl = write(tmp_path / "a.jsonl", json.dumps(ROW) + "\n\n")
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(jsonl.read_bytes()))
    table = write(
        tmp_path / "c.csv", 'question,choices,reference,task,unit\nWhich?,"[""red"", ""blue""]",blue,colour,\n'
    )
    columns = tmp_path / "d.parquet"
    pq.write_table(pa.Table.from_pylist([{**ROW, "unit": None}]), columns)
    ids = {load(path).items[0].id for path in (jsonl, packed, table, columns)}
    assert len(ids) == 1


def test_a_csv_of_texts_and_numbers_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "query,reference,scorer,tolerance,max_tokens\n1+1?,2,numeric,0.5,9\n")
    made = load(path).items[0]
    assert (made.references, made.tolerance, made.max_tokens) == (("2",), 0.5, 9)


def test_a_default_scorer_fills_in(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"query": "Say hi", "reference": "hi"}\n')
    assert load(path, default_scorer="exact").items[0].scorer == "exact"


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("{nonsense", "row 2: not JSON"),
        ("[1]", "row 2: a JSON object is wanted, not list"),
        ('{"query": "q", "referense": "x"}', "row 2, column referense: unknown column; did you mean reference"),
        ('{"query": "q", "scorer": "exact", "reference": {"a": 1}}', "row 2, column reference"),
        ('{"query": 5, "scorer": "exact", "reference": "x"}', "row 2, column query"),
        ('{"query": "q", "scorer": "exact"}', "row 2: .*needs a reference"),
        ('{"query": "q", "scorer": "numeric", "reference": 1, "tolerance": -1}', "row 2, column tolerance"),
        (json.dumps(ROW), "row 2, column id: .*twice"),
    ],
)
def test_a_bad_row_is_named_with_row_and_column(tmp_path: Path, line: str, where: str) -> None:
    path = write(tmp_path / "a.jsonl", f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(DataError, match=f"1 good rows, 1 problems: {where}"):
        load(path)


def test_bad_rows_are_left_out_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", f"{json.dumps(ROW)}\nnonsense\n")
    found = load(path, is_strict=False)
    assert (len(found.items), len(found.problems)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("query,reference,scorer\nq,x\n", "row 2: fewer cells"),
        ("query,reference,scorer\nq,x,exact,more\n", "row 2: 1 more cells"),
        ('query,reference,scorer\nq,"[1,",exact\n', "row 2: column reference: a list that is not JSON"),
        ('query,reference,scorer\nq,"x"y,exact\n', "line"),
    ],
)
def test_a_bad_csv_row_is_named(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(DataError, match=where):
        load(write(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1 not really PAR1", "not a Parquet file"),
        ("a.jsonl.gz", b"not packed", "a.jsonl.gz"),
        ("a.jsonl", b"", "holds no questions"),
        ("a.jsonl", b'{"query": "\xff"}\n', "row 1: not UTF-8"),
        ("a.csv", b"query\n\xff\n", "not UTF-8"),
        ("a.txt", b"x", "must end in"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load(tmp_path / "a.jsonl")


def test_an_unknown_dataset_gets_the_nearest_names() -> None:
    with pytest.raises(DataError, match="known are mmlu"):
        load_dataset("mmlue", NONE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mmlu", Source("mmlu")),
        ("mmlu:100", Source("mmlu", 100)),
        ("my/a.csv:5", Source("my/a.csv", 5)),
        ("a:b.csv", Source("a:b.csv")),
    ],
)
def test_a_source_is_a_name_and_a_number(text: str, expected: Source) -> None:
    assert Source.parse(text) == expected


@pytest.mark.parametrize("text", ["mmlu:0", "mmlu:-3"])
def test_a_source_of_no_questions_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="at least 1"):
        Source.parse(text)
