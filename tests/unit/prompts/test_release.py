"""What a program, a run or a file becomes when it is served by name, and what cannot be served."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.optimize import OptimizationResult, OptimizePlan
from neuroforge.contracts.prompt_serving import content_hash_of
from neuroforge.contracts.prompts import (
    Demonstration,
    PromptCandidate,
    PromptMessage,
    PromptProgram,
    PromptRelease,
    PromptStyle,
)
from neuroforge.contracts.rules import Estimate
from neuroforge.datasets.template import fill_in
from neuroforge.errors import ConfigError, ConflictError, DataError, RequestError
from neuroforge.prompts.program import program_id, to_yaml
from neuroforge.prompts.release import check_release, release_of_program, release_of_result
from neuroforge.prompts.release_file import read_release
from neuroforge.prompts.render import render_program

SEED = PromptProgram(instruction="Answer.")
BETTER = PromptProgram(
    role="You know {everything}.",
    instruction="Say it in {{ one }} word.",
    demonstrations=(Demonstration(question="2+2?", answer="four"),),
    answer_cue="Answer:",
    input_template="{{ context }}: {{ query }}",
    style=PromptStyle(placement="system", demonstrations="turns"),
    decoding=Decoding(temperature=0.5, max_tokens=9),
)


def result(is_promoted: bool = True, **changes: Any) -> OptimizationResult:
    values: dict[str, Any] = {
        "id": "sense-1",
        "name": "sense",
        "original": SEED,
        "optimized": BETTER if is_promoted else SEED,
        "text": "t",
        "is_promoted": is_promoted,
        "sentence": "better by 0.1" if is_promoted else "nothing was better",
        "improvement": Estimate(mean=0.1, low=0.05, high=0.15, n=50),
        "p_value": 0.0125,
        "scores": {"original": 0.5, "optimized": 0.6},
        "plan": PLAN,
        "lineage": (PromptCandidate(id=program_id(BETTER), program=BETTER, operator="mix", parents=("a", "b")),),
    }
    return OptimizationResult(**{**values, **changes})


PLAN = OptimizePlan(
    target_model="small", n_items={}, n_calls_max=10, n_test_calls=0, n_beside_calls_max=0, is_by_labels=False
)


def test_a_release_renders_to_the_messages_that_were_measured() -> None:
    item = DatasetItem(
        id="1", dataset="d", query="{{ why }}?", fields={"context": "<b>"}, references=("x",), scorer="exact"
    )
    release = release_of_program(BETTER, "sense", "r")
    variables = {"query": item.query, "context": "<b>"}
    shown = [{"role": one.role, "content": fill_in(one.content, variables, "it")} for one in release.messages]
    assert tuple(shown) == render_program(BETTER, item)
    assert release.variables == ("context", "query")


def test_a_runs_release_carries_decoding_models_and_evidence() -> None:
    release = release_of_result(result(data_sha256="abc"))
    assert (release.name, release.models, release.decoding) == ("sense", ("small",), BETTER.decoding)
    assert (release.reason, release.evidence) == ("better by 0.1", "optimization:sense-1")
    assert release.improvement == Estimate(mean=0.1, low=0.05, high=0.15, n=50)
    assert release.tags == {
        "data_hash": "abc",
        "scores": '{"original": 0.5, "optimized": 0.6}',
        "p_value": "0.0125",
        "lineage": json.dumps([{"id": program_id(BETTER), "operator": "mix", "parents": ["a", "b"]}]),
    }


def test_what_was_proven_by_labels_answers_with_them_and_needs_no_decoding() -> None:
    release = release_of_result(result(labels=("good", "bad")))
    assert (release.labels, release.decoding) == (("good", "bad"), None)


def test_what_votes_over_several_answers_is_not_served_by_name() -> None:
    program = PromptProgram(instruction="A", n_samples=5, decoding=Decoding(temperature=1.0))
    with pytest.raises(DataError, match="n_samples is 5"):
        release_of_program(program, "sense", "r")


def test_labels_less_those_without_a_question_are_not_served_by_name() -> None:
    with pytest.raises(DataError, match="calibrate is true"):
        release_of_program(PromptProgram(instruction="A", calibrate=True), "sense", "r")


def test_a_text_that_is_continued_is_not_served_by_name() -> None:
    with pytest.raises(DataError, match="chat_template is false"):
        release_of_program(PromptProgram(instruction="A", chat_template=False), "sense", "r")


def test_many_long_examples_are_served_as_they_were_evaluated() -> None:
    shown = tuple(Demonstration(question=f"{number} {'word ' * 290}", answer="a") for number in range(24))
    program = PromptProgram(instruction="Say {a}.", demonstrations=shown)
    (message,) = release_of_program(program, "sense", "r").messages
    item = DatasetItem(id="1", dataset="d", query="why?", references=("a",), scorer="exact", max_tokens=8)
    assert fill_in(message.content, {"query": "why?"}, "here") == render_program(program, item)[0]["content"]


def released(content: str = "{{ query }}", **changes: Any) -> PromptRelease:
    values = {"name": "sense", "messages": (PromptMessage(role="user", content=content),), "reason": "r"}
    return PromptRelease.model_validate({**values, **changes})


def test_the_variables_of_a_release_are_those_of_its_messages() -> None:
    assert check_release(released("{{ b }} {{ a }}{% for x in c %}{{ x }}{% endfor %}"), "sense").variables == (
        "a",
        "b",
        "c",
    )


def test_a_hash_that_a_release_brings_must_be_its_own() -> None:
    whole = released(variables=("query",))
    assert check_release(released(content_hash=content_hash_of(whole)), "sense").variables == ("query",)
    with pytest.raises(RequestError, match="content_hash is not that of"):
        check_release(released("other", content_hash=content_hash_of(whole)), "sense")


@pytest.mark.parametrize(
    ("changes", "param", "told"),
    [
        ({"name": "other"}, "release.name", "the path says 'sense', but the release's name is 'other'"),
        ({"version": 3}, "release.version", "version is given when a release is promoted"),
        ({"tracked_as": "prompts:/x/1"}, "release.tracked_as", "tracked_as is given"),
        ({"content": "{{ query"}, "release.messages[0].content", "template"),
        ({"content": "{{ query.upper() }}"}, "release.messages[0].content", "`Call` is not possible"),
        ({"content": "{{ 1 + 'a' }}"}, "release.messages[0].content", "without variables: + is for numbers"),
        ({"variables": ("query", "odd")}, "release.variables", "variables are query, odd, but the messages need query"),
    ],
)
def test_what_cannot_be_served_is_refused(changes: dict[str, Any], param: str, told: str) -> None:
    with pytest.raises(RequestError, match=re.escape(told)) as caught:
        check_release(released(**changes), "sense")
    assert caught.value.context["param"] == param


def test_a_runs_directory_is_read_and_an_unproven_one_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(result().model_dump_json())
    assert read_release(tmp_path, "taste") == release_of_result(result(), "taste")

    path.write_text(result(is_promoted=False, tested=BETTER).model_dump_json())
    with pytest.raises(ConflictError, match="nothing was better; to serve its prompt all the same, force it"):
        read_release(path)
    forced = read_release(path, force=True)
    assert forced.messages == release_of_program(BETTER, "sense", "r").messages
    assert forced.reason == "by force: the winner of a run that proved nothing"
    path.write_text(result(is_promoted=False).model_dump_json())
    assert read_release(path, force=True).messages == forced.messages, "of a run from before `tested` was kept"


def test_a_program_needs_a_name_and_may_bring_models_and_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "program.yaml"
    path.write_text(to_yaml(SEED))
    assert read_release(path, "sense", ("small",), "why") == release_of_program(SEED, "sense", "why", ("small",))
    assert read_release(path, "sense").reason == "from program.yaml"
    with pytest.raises(ConfigError, match="has no name"):
        read_release(path)


def test_an_exported_release_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_text(released(models=("small",)).model_dump_json(exclude_defaults=True))
    assert read_release(path, "taste") == released(name="taste", models=("small",))
    with pytest.raises(ConfigError, match="brings its own models and reason"):
        read_release(path, reason="why")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "{", "cannot be read"),
        ("a.json", "{}", "holds neither a run's result, a release nor a program; a program is YAML"),
        ("a.yaml", "- 1", "holds neither a run's result, a release nor a program"),
        ("a.json", '{"messages": []}', "name: Field required"),
        ("a.yaml", "instructoin: x", "did you mean instruction"),
    ],
)
def test_a_file_that_is_none_of_these_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=told):
        read_release(tmp_path / name, "sense")
    with pytest.raises(DataError, match="does not exist"):
        read_release(tmp_path / "gone.yaml", "sense")
