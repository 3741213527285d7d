import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.experiments import PromptTemplate
from neuroforge.datasets.items_file import digest_of
from neuroforge.errors import DataError
from neuroforge.experiments import load_prompt_dataset

ROWS: list[dict[str, Any]] = [
    {"Frage": "2+3?", "Antwort": 5, "Thema": "Summen"},
    {"Frage": "2*3?", "Antwort": 6, "Thema": "Produkte"},
]
FIELDS = {"question": "{{ Frage }}", "reference": "{{ Antwort }}", "task": "mathe: {{ Thema|lower }}"}


def written(directory: Path, kind: str) -> Path:
    path = directory / f"fragen.{kind}"
    match kind:
        case "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        case "csv":
            path.write_text("Frage,Antwort,Thema\n" + "".join(",".join(map(str, row.values())) + "\n" for row in ROWS))
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_columns_of_any_file_are_mapped_by_templates(tmp_path: Path, kind: str) -> None:
    found = load_prompt_dataset(written(tmp_path, kind), fields=FIELDS, scorer="numeric")
    assert [(one.query, one.references, one.task) for one in found.items] == [
        ("2+3?\n\nAnswer with the number only.", ("5",), "mathe: summen"),
        ("2*3?\n\nAnswer with the number only.", ("6",), "mathe: produkte"),
    ]
    assert found.source.name == f"fragen.{kind}"


def test_rows_made_in_code_are_mapped_alike() -> None:
    found = load_prompt_dataset(iter(ROWS), fields=FIELDS, scorer="numeric", templates="{{ Thema }}: {{ query }}")
    assert found.items[0].fields["Thema"] == "Summen"
    assert found.templates == (PromptTemplate(name="p1", template="{{ Thema }}: {{ query }}"),)


def test_a_list_is_mapped_by_several_templates_and_a_column_alone_keeps_its_type() -> None:
    rows = [{"q": "Which?", "a": "red", "b": "blue", "right": "blue", "all": ["red", "blue"]}]
    apart = load_prompt_dataset(
        rows, fields={"question": "{{ q }}", "choices": ["{{ a }}", "{{ b }}"], "reference": "{{ right }}"}
    )
    whole = load_prompt_dataset(
        rows, fields={"question": "{{ q }}", "choices": "{{ all }}", "reference": "{{ right }}"}
    )
    assert apart.items[0].choices == whole.items[0].choices == ("red", "blue")


def test_the_upload_is_named_by_what_is_in_it() -> None:
    found = load_prompt_dataset(ROWS, fields=FIELDS, scorer="numeric", name="mine")
    assert found.content is not None
    assert found.source.uploaded == digest_of(found.content)


def test_a_registry_dataset_is_only_named() -> None:
    found = load_prompt_dataset("mmlu", n=100, seed=3)
    assert (found.source.name, found.source.n, found.source.seed, found.content) == ("mmlu", 100, 3, None)


@pytest.mark.parametrize("option", [{"fields": FIELDS}, {"scorer": "exact"}, {"name": "x"}])
def test_a_registry_dataset_takes_no_columns_of_ones_own(option: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="registry dataset"):
        load_prompt_dataset("mmlu", **option)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'mmlo'.*mmlu"):
        load_prompt_dataset("mmlo")


def test_malformed_rows_are_named_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"query": "a", "reference": "b", "scorer": "exact"}\n{"query": "c", "scorer": "exakt"}\nnonsense\n'
    )
    with pytest.raises(DataError, match=r"1 good rows, 2 problems: row 2, column scorer: .*; row 3: not JSON"):
        load_prompt_dataset(path)
    found = load_prompt_dataset(path, skip_bad_rows=True)
    assert (len(found.items), len(found.problems)) == (1, 2)


def test_a_column_that_a_template_of_fields_needs_is_named_with_its_row() -> None:
    rows = [{"Frage": "x", "Antwort": "y"}, {"Antwort": "y"}]
    with pytest.raises(DataError, match="row 2: column question: 'Frage' is undefined; known are Antwort, row"):
        load_prompt_dataset(rows, fields={"question": "{{ Frage }}", "reference": "{{ Antwort }}"}, scorer="exact")


def test_a_target_that_is_no_column_is_told_with_the_nearest() -> None:
    with pytest.raises(DataError, match="'referense' is no column of a question; did you mean 'reference'"):
        load_prompt_dataset(ROWS, fields={"referense": "{{ Antwort }}"})


def test_a_misspelt_column_is_an_error_but_one_that_a_template_names_is_not() -> None:
    rows = [{"query": "a", "referense": "b", "reference": "b", "scorer": "exact"}]
    with pytest.raises(DataError, match="column referense: unknown column; did you mean reference"):
        load_prompt_dataset(rows)
    found = load_prompt_dataset(rows, templates="{{ query }} {{ referense }}")
    assert found.items[0].fields["referense"] == "b"


def test_a_template_variable_without_data_is_an_error() -> None:
    rows = [{"query": "a", "reference": "b", "scorer": "exact", "hint": "c"}, {"query": "d", "reference": "e"}]
    with pytest.raises(DataError, match=r"prompt 'p1', item '.*': 'hint' is undefined"):
        load_prompt_dataset(rows, templates=["{{ hint }} {{ query }}"], scorer="exact")


def test_no_template_can_show_the_answer_by_accident() -> None:
    rows = [{"query": "a", "reference": "b", "scorer": "exact"}]
    with pytest.raises(DataError, match="'reference' is undefined"):
        load_prompt_dataset(rows, templates="{{ reference }}")


def test_templates_may_have_names() -> None:
    found = load_prompt_dataset("mmlu", templates={"plain": "{{ query }}", "kind": "Please: {{ query }}"})
    assert [one.name for one in found.templates] == ["plain", "kind"]


@pytest.mark.parametrize("templates", [[], {}, {"": "x"}, {"a": ""}, "{{ query"])
def test_templates_that_are_none_are_refused(templates: Any) -> None:
    with pytest.raises(DataError, match="template"):
        load_prompt_dataset([{"query": "a", "reference": "b", "scorer": "exact"}], templates=templates)


def test_one_split_is_taken_and_several_are_not_mixed() -> None:
    rows = [{"query": f"{n}", "reference": "b", "scorer": "exact", "split": "ab"[n % 2]} for n in range(6)]
    assert len(load_prompt_dataset(rows, split="a").items) == 3
    with pytest.raises(DataError, match=r"several splits, name one: a \(3\), b \(3\)"):
        load_prompt_dataset(rows)


def test_a_sample_is_drawn_in_proportion_and_by_seed() -> None:
    rows = [{"query": f"{n}", "reference": "b", "scorer": "exact", "task": "xy"[n % 2]} for n in range(40)]
    found = [load_prompt_dataset(rows, n=10, seed=seed).items for seed in (1, 1, 2)]
    assert [one.task for one in found[0]].count("x") == 5
    assert found[0] == found[1] != found[2]


def test_no_row_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="holds no questions"):
        load_prompt_dataset([])


def test_a_row_that_is_no_mapping_is_named() -> None:
    with pytest.raises(DataError, match="row 2: a mapping of columns is wanted, not str"):
        load_prompt_dataset([{"query": "a"}, "b"])  # type: ignore[list-item]


def test_a_question_without_a_reference_is_for_a_judge() -> None:
    assert load_prompt_dataset([{"query": "Write a poem."}]).items[0].scorer == "judge"


def test_ready_items_are_taken_as_they_are() -> None:
    items = load_prompt_dataset(ROWS, fields=FIELDS, scorer="numeric").items
    assert load_prompt_dataset(items).items == items


def test_only_registry_datasets_have_a_published_form() -> None:
    assert load_prompt_dataset("mmlu", form="published").source.form == "published"
    with pytest.raises(DataError, match="rows: only registry datasets have a published form"):
        load_prompt_dataset(ROWS, form="published")
