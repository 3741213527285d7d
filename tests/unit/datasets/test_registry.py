import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from neuroforge.assets.catalog import load_builtin
from neuroforge.datasets.pipeline import Dataset, load_dataset
from neuroforge.datasets.registry import REGISTRY
from neuroforge.errors import DataError
from tests.unit.datasets.fakes import FakeAssets

LETTERED = {"question": "Which?", "options": "\nA. red\nB. blue", "answer": "B. blue"}
ON_PASSAGE = {**LETTERED, "passage": "The sky."}


def load(directory: Path, name: str, *rows: dict[str, Any]) -> Dataset:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / f"{name}.jsonl").write_text(text)
    return load_dataset(name, FakeAssets(directory))


def test_every_dataset_of_the_catalog_can_be_read_and_the_other_way_round() -> None:
    assert {entry.name for entry in load_builtin() if entry.kind == "dataset"} == set(REGISTRY)


@pytest.mark.parametrize("name", ["commonsenseqa", "openbookqa", "mmlu", "piqa"])
def test_lettered_questions_become_choices(tmp_path: Path, name: str) -> None:
    made = load(tmp_path, name, LETTERED).items[0]
    assert (made.scorer, made.references, made.choices, made.dataset) == ("choice", ("B",), ("red", "blue"), name)
    assert made.task == REGISTRY[name].task


@pytest.mark.parametrize("name", ["siqa", "logiqa"])
def test_questions_on_a_passage_show_it_and_are_grouped_by_it(tmp_path: Path, name: str) -> None:
    made = load(tmp_path, name, ON_PASSAGE).items[0]
    assert made.query.startswith("The sky.\n\nWhich?\nA. red")
    assert made.group == "The sky."


def test_boolq_becomes_yes_or_no(tmp_path: Path) -> None:
    row = {"question": "is it so", "passage": "It is.", "answer": "False", "title": "x"}
    made = load(tmp_path, "boolq", row).items[0]
    assert (made.labels, made.references) == (("Yes", "No"), ("No",))
    assert "Is it so?" in made.query


def test_asdiv_quantities_are_numbers_with_units(tmp_path: Path) -> None:
    row = {"passage": "Two and three.", "question": "How many?", "answer": "5 apples"}
    made = load(tmp_path, "asdiv", row).items[0]
    assert (made.scorer, made.unit) == ("numeric", "apples")


@pytest.mark.parametrize("told", ["Mrs. Hilt", "3:30 p.m.", "2:3", "6th 7"])
def test_asdiv_answers_that_are_no_quantity_are_compared_as_text(tmp_path: Path, told: str) -> None:
    made = load(tmp_path, "asdiv", {"passage": "Two.", "question": "Who?", "answer": told}).items[0]
    assert made.scorer == "normalized"


def test_humaneval_becomes_code_with_tests(tmp_path: Path) -> None:
    row = {"task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f", "test": "def check(g): pass"}
    with gzip.open(tmp_path / "humaneval.jsonl.gz", "wt") as file:
        file.write(json.dumps(row))
    made = load_dataset("humaneval", FakeAssets(tmp_path)).items[0]
    assert (made.id, made.scorer) == ("HumanEval/0", "code")
    assert made.code is not None
    assert made.code.tests.endswith("check(f)\n")


@pytest.mark.parametrize(
    "row",
    [
        {**LETTERED, "options": "A. red\nB. red"},
        {**LETTERED, "options": "B. red\nA. blue"},
        {**LETTERED, "answer": "C. green"},
    ],
)
def test_published_rows_that_cannot_be_scored_are_left_out_and_counted(tmp_path: Path, row: dict[str, Any]) -> None:
    found = load(tmp_path, "mmlu", LETTERED, row)
    assert (len(found.items), len(found.problems)) == (1, 1)


def test_rows_of_another_form_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a row of mmlu"):
        load(tmp_path, "mmlu", {"text": "x"})
