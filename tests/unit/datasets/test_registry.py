import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from neuroforge.assets.catalog import load_builtin
from neuroforge.datasets.bfcl import CATEGORIES
from neuroforge.datasets.pipeline import Dataset, as_published, load_dataset
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


def test_harmbench_is_one_request_a_line(tmp_path: Path) -> None:
    (tmp_path / "harmbench.txt").write_text("Do harm\n\nDo more\n")
    found = load_dataset("harmbench", FakeAssets(tmp_path)).items
    assert [(one.query, one.scorer, one.task) for one in found] == [
        ("Do harm", "refusal", None),
        ("Do more", "refusal", None),
    ]


def test_truthfulqa_has_several_right_answers(tmp_path: Path) -> None:
    made = load(tmp_path, "truthfulqa", {"question": "Why?", "answer": ["So", "Thus"]}).items[0]
    assert (made.query, made.references, made.scorer) == ("Why?", ("So", "Thus"), "rouge")


QUESTION = {
    "id": "simple_python_0",
    "question": [[{"role": "user", "content": "Area?"}]],
    "function": [
        {
            "name": "geo.area",
            "description": "Area.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "base": {"type": "float"},
                    "corners": {"type": "tuple", "items": {"type": "dict", "properties": {"x": {"type": "any"}}}},
                },
                "required": ["base"],
            },
        }
    ],
}


class BfclAssets(FakeAssets):
    """The directory itself: BFCL comes in several files."""

    def ensure(self, name: str) -> Path:
        return self._directory


def bfcl(directory: Path) -> Dataset:
    for category in CATEGORIES:
        question = {**QUESTION, "id": f"{category}_0"}
        (directory / f"{category}.jsonl").write_text(json.dumps(question) + "\n")
        answer = {"id": f"{category}_0", "ground_truth": [{"geo.area": {"base": [2, ""]}}]}
        if category != "irrelevance":
            (directory / f"{category}.answers.jsonl").write_text(json.dumps(answer) + "\n")
    return load_dataset("bfcl", BfclAssets(directory))


def test_bfcl_becomes_tools_and_expected_calls(tmp_path: Path) -> None:
    made = bfcl(tmp_path).items[0]
    assert (made.id, made.query, made.scorer, made.messages) == ("simple_python_0", "Area?", "function_call", ())
    assert made.references == ('[{"name": "geo.area", "arguments": {"base": [2, ""]}}]',)
    function = made.tools[0]["function"]
    assert function["name"] == "geo_area"
    assert function["parameters"]["type"] == "object"
    assert function["parameters"]["properties"] == {
        "base": {"type": "number"},
        "corners": {"type": "array", "items": {"type": "object", "properties": {"x": {}}}},
    }


def test_bfcl_wants_no_call_where_no_function_fits(tmp_path: Path) -> None:
    made = {one.id: one for one in bfcl(tmp_path).items}
    assert len(made) == len(CATEGORIES)
    assert made["irrelevance_0"].references == ("[]",)


def test_the_published_form_is_asked_word_by_word(tmp_path: Path) -> None:
    made = as_published(load(tmp_path, "mmlu", LETTERED))
    assert made.items[0].query == (
        "The following are multiple choice questions (with answers).\n\nWhich?\nA. red\nB. blue\nAnswer:"
    )
    assert made.items[0].id.endswith("-published")
    truth = as_published(load(tmp_path, "truthfulqa", {"question": "Why?", "answer": ["So"]})).items[0]
    assert truth.query.startswith("Q: What is human life expectancy")
    assert truth.query.endswith("Spain.\n\nQ: Why?\nA:")
    row = {"question": "is it so", "passage": "It is.", "answer": "False", "title": "x"}
    assert as_published(load(tmp_path, "boolq", row)).items[0].query == "It is.\nquestion: Is it so?\nanswer:"


def test_what_has_no_published_form_is_asked_as_ours(tmp_path: Path) -> None:
    plain = load(tmp_path, "piqa", LETTERED)
    assert as_published(plain) == plain


def test_only_registry_datasets_have_a_published_form() -> None:
    with pytest.raises(DataError, match="no dataset is called"):
        as_published(Dataset("mine", ()))
