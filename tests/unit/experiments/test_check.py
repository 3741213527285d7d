from typing import Any

import pytest

from neuroforge.contracts.datasets import CodeTests, DatasetItem
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig, Judge, PromptTemplate
from neuroforge.errors import DataError, SandboxUnavailable
from neuroforge.experiments.check import check_scorable
from neuroforge.scoring.sandbox import Sandbox
from tests.unit.datasets.fakes import item


def config(**changes: Any) -> ExperimentConfig:
    return ExperimentConfig(name="study", models=("a",), datasets=(DatasetSource(name="quiz"),), **changes)


def test_items_with_references_pass() -> None:
    check_scorable(config(), [item(1), item(2)])


def test_no_items_are_an_error() -> None:
    with pytest.raises(DataError, match="no items"):
        check_scorable(config(), [])


def test_quality_needs_a_reference_or_a_judge() -> None:
    unjudged = [item(1), item(2, scorer="judge", references=())]
    with pytest.raises(DataError, match=r"quality: 1 of 2 items .* \(first: 'q2'\), and no judge is named"):
        check_scorable(config(), unjudged)
    check_scorable(config(judge=Judge(model_id="b")), unjudged)
    check_scorable(config(metrics=("speed",)), unjudged)


def test_consistency_needs_repeats_or_paraphrases() -> None:
    with pytest.raises(DataError, match="consistency: needs repeats above 1"):
        check_scorable(config(metrics=("consistency",)), [item(1), item(2, paraphrase_of="p")])
    check_scorable(config(metrics=("consistency",), repeats=2), [item(1)])
    check_scorable(config(metrics=("consistency",)), [item(1, paraphrase_of="p"), item(2, paraphrase_of="p")])


def test_a_template_that_does_not_fit_an_item_is_an_error() -> None:
    with pytest.raises(DataError, match="prompt 'mine', item 'q1': 'x' is undefined"):
        check_scorable(config(prompts=(PromptTemplate(name="mine", template="{{ x }}"),)), [item(1)])


def test_ids_are_unique_within_a_dataset() -> None:
    check_scorable(config(), [item(1), item(1, dataset="other")])
    with pytest.raises(DataError, match="item 'q1' of quiz stands twice"):
        check_scorable(config(), [item(1), item(1)])


class Forbidding(Sandbox):
    """A machine whose kernel allows nothing."""

    def check(self) -> bool:
        raise SandboxUnavailable("no namespaces")


def test_code_needs_a_sandbox_before_anything_is_asked() -> None:
    code: DatasetItem = item(1, scorer="code", references=(), code=CodeTests(tests="pass"))
    with pytest.raises(SandboxUnavailable):
        check_scorable(config(), [code], Forbidding())
    check_scorable(config(), [item(1)], Forbidding())


def test_a_judge_needs_something_to_judge() -> None:
    with pytest.raises(DataError, match=r"judge: every item has a scorer of its own \(normalized\)"):
        check_scorable(config(judge=Judge(model_id="b")), [item(1)])
    check_scorable(config(judge=Judge(model_id="b"), scorer="judge"), [item(1)])
