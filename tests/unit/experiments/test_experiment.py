from typing import Any

import pytest

from neuroforge.contracts.experiments import Judge
from neuroforge.datasets.items_file import parse_items
from neuroforge.errors import ConfigError, DataError
from neuroforge.experiments import Experiment, load_prompt_dataset

ROWS = [{"query": "2+3?", "reference": 5, "scorer": "numeric"}]


def experiment(**changes: Any) -> Experiment:
    values: dict[str, Any] = {"name": "study", "models": ["a", "b"], "prompts": load_prompt_dataset(ROWS)}
    return Experiment(**{**values, **changes})


def test_the_owners_example_becomes_a_config_and_an_upload() -> None:
    made = experiment(name="prompt_optimization_study", metrics=["quality", "speed", "consistency"])
    assert (made.config.name, made.config.models) == ("prompt_optimization_study", ("a", "b"))
    assert made.config.metrics == ("quality", "speed", "consistency")
    digest = made.config.datasets[0].uploaded
    assert digest is not None
    assert parse_items(made.uploads[digest], "x")[0].query == "2+3?"


def test_consistency_asks_several_times_and_not_greedily() -> None:
    made = experiment(metrics=["consistency"]).config
    assert (made.repeats, made.decodings[0].temperature) == (3, 0.7)


def test_what_is_said_goes_before_what_consistency_implies() -> None:
    made = experiment(metrics=["consistency"], repeats=5).config
    assert (made.repeats, made.decodings[0].temperature) == (5, 0.0)


def test_a_registry_dataset_is_not_uploaded() -> None:
    assert experiment(prompts=load_prompt_dataset("mmlu", n=5)).uploads == {}


def test_several_datasets_are_asked_together() -> None:
    made = experiment(prompts=[load_prompt_dataset(ROWS, name="mine"), load_prompt_dataset("mmlu", n=5)])
    assert [one.name for one in made.config.datasets] == ["mine", "mmlu"]


def test_datasets_with_different_templates_are_refused() -> None:
    with pytest.raises(ConfigError, match="same templates"):
        experiment(prompts=[load_prompt_dataset(ROWS), load_prompt_dataset("mmlu", templates="Q: {{ query }}")])


def test_no_dataset_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one dataset"):
        experiment(prompts=[])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ["qualty"]}, r"metrics\[0\].*'quality', 'speed', 'consistency' or 'cost'.*'qualty'"),
        ({"repeat": 3}, "repeat: unknown key; did you mean 'repeats'"),
        ({"models": []}, "models"),
        ({"models": ["a", "a"]}, "model 'a' stands twice"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**change)


def test_quality_with_neither_reference_nor_judge_is_refused() -> None:
    poems = load_prompt_dataset([{"query": "Write a poem."}])
    with pytest.raises(DataError, match="1 of 1 items have neither reference nor tests"):
        experiment(prompts=poems)
    assert experiment(prompts=poems, metrics=["speed"]).config.metrics == ("speed",)
    assert experiment(prompts=poems, judge=Judge(model_id="c")).config.judge is not None


def test_rows_that_were_left_out_are_known() -> None:
    rows = [*ROWS, {"query": "x", "reference": "y", "scorer": "numeric"}]
    made = experiment(prompts=load_prompt_dataset(rows, name="mine", skip_bad_rows=True))
    assert made.left_out == ("mine: row 2: reference 'y' holds no number",)
