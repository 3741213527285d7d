import numpy as np
import pytest

from neuroforge.contracts.experiments import Variant
from neuroforge.contracts.rules import RoutingRules
from neuroforge.experiments.analysis.insights import find_insights, to_task_type
from neuroforge.experiments.table import Item
from neuroforge.router.insights import propose_from_insights
from tests.unit.experiments.analysis.tables import quality

NAN = float("nan")


def variant(model_id: str, prompt: str = "plain") -> Variant:
    return Variant(id=f"{model_id}|{prompt}", model_id=model_id, prompt=prompt, decoding="greedy")


def items(*tasks: str | None) -> list[Item]:
    return [Item("quiz", str(index), task) for index, task in enumerate(tasks)]


@pytest.mark.parametrize(
    ("word", "task"),
    [
        ("math", "math"),
        ("Summarization", "summarisation"),
        ("function calling", "extraction"),
        ("juggling", None),
        (None, None),
    ],
)
def test_words_of_datasets_become_the_routers(word: str | None, task: str | None) -> None:
    assert to_task_type(word) == task


def test_the_better_model_comes_first_and_each_has_its_quality_told() -> None:
    metric = quality([0.0] * 10, [1.0] * 9 + [0.0])
    found = find_insights(metric, items(*[None] * 10), [variant("a"), variant("b")], "exp", seed=0)
    assert [(one.model_id, one.other_model_id, one.quality) for one in found] == [("b", "a", 0.9), ("a", "b", 0.0)]
    assert [one.difference.mean for one in found] == pytest.approx([0.9, -0.9])
    assert {one.source for one in found} == {"exp"}


def test_tasks_are_told_apart_from_the_whole() -> None:
    metric = quality([1.0] * 5 + [0.0] * 5, [0.0] * 5 + [1.0] * 5)
    found = find_insights(metric, items(*["math"] * 5, *["code"] * 5), [variant("a"), variant("b")], "exp", seed=0)
    leads = {one.task: one.model_id for one in found if one.difference.mean > 0}
    assert leads == {"code": "b", "math": "a"}
    assert {one.task for one in found} == {None, "code", "math"}


def test_prompts_are_averaged_where_both_models_answered() -> None:
    variants = [variant("a"), variant("a", "steps"), variant("b"), variant("b", "steps")]
    metric = quality([1.0, 1.0], [0.0, NAN], [0.0, 0.0], [0.0, 1.0])
    found = find_insights(metric, items(None, None), variants, "exp", seed=0)
    # item 1: (1 + 0) / 2 against (0 + 0) / 2; item 2: the plain prompt alone, 1 against 0
    assert found[0].difference.mean == pytest.approx(0.75)
    assert found[0].quality == pytest.approx(0.75)


def test_one_model_with_two_prompts_says_nothing_for_routing() -> None:
    metric = quality([1.0, 1.0], [0.0, 0.0])
    assert find_insights(metric, items(None, None), [variant("a"), variant("a", "steps")], "exp", seed=0) == ()


def test_the_router_makes_rules_of_them() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 200)) < [[0.9], [0.4]]).astype(float).tolist()
    found = find_insights(quality(a, b), items(*["math"] * 200), [variant("a"), variant("b")], "exp-1", seed=0)
    rules = propose_from_insights(found, RoutingRules(), ["a", "b"])
    assert [(one.model_id, one.task) for one in rules.exclusions] == [("b", None)]
    assert {one.model_id for one in rules.priors} == {"a", "b"}
    assert rules.evidence == "exp-1"
