"""From a prompt and examples to a prompt that fresh items prove, or to none."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompts import OptimizationResult, OptimizeConfig
from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts.ask import Target
from neuroforge.prompts.directory import RESULT, STATE
from neuroforge.prompts.pipeline import Contestants, PromptEngineeringCore
from tests.unit.prompts.fakes import FakeModels, score

SEED = "Do it.\n\n{{ query }}"


class Tutor(FakeModels):
    """Right on every other question, and on all that it is told to think about; writes no prompts."""

    async def chat(self, messages: Any, model: str, **options: Any) -> Any:
        self.answer = answer
        return await super().chat(messages, model, **options)

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        scores = tuple(LabelScore(label=one, logprob=-0.5, n_tokens=1) for one in labels)
        return LabelLogprobs(scores=scores, n_prompt_tokens=5)


def answer(prompt: str) -> str:
    if "Rewrite this instruction" in prompt or "Name the one thing" in prompt:
        return "Sure, here is"
    question = prompt.rpartition("q")[2]
    number = int("".join(char for char in question if char.isdigit()) or 0)
    return "yes" if "step by step" in prompt or number % 2 else "no"


def items(n: int = 120) -> list[DatasetItem]:
    return [DatasetItem(id=f"i{k}", dataset="d", query=f"q{k}", scorer="exact", references=("yes",)) for k in range(n)]


def config(**changes: Any) -> OptimizeConfig:
    fields: dict[str, Any] = {"name": "t", "prompt": SEED, "budget": Budget(max_calls=900), "use_logprobs": False}
    return OptimizeConfig(**(fields | changes))


def core(models: FakeModels, **more: Any) -> PromptEngineeringCore:
    async def no_wait(_seconds: float) -> None:
        return None

    return PromptEngineeringCore(models, score, Contestants(Target("m", "sha"), 4, ("m",)), sleep=no_wait, **more)


async def optimized(tmp_path: Path, wanted: OptimizeConfig | None = None, n: int = 120) -> OptimizationResult:
    return await core(Tutor()).optimize_prompt(wanted or config(), items(n), tmp_path)


async def test_what_helps_is_found_proven_and_explained(tmp_path: Path) -> None:
    found = await optimized(tmp_path)

    assert found.is_promoted
    assert "step by step" in (found.optimized.reasoning_cue or "")
    assert found.improvement is not None
    assert found.improvement.low > 0.2
    assert found.scores["original"] == pytest.approx(0.5, abs=0.2)
    assert found.lineage[-1].operator == "seed"
    assert json.loads((tmp_path / RESULT).read_text())["sentence"] == found.sentence


async def test_where_nothing_helps_the_seed_stays_and_the_result_says_so(tmp_path: Path) -> None:
    models = FakeModels(answer=lambda _prompt: "no")

    found = await core(models).optimize_prompt(config(), items(), tmp_path)

    assert not found.is_promoted
    assert found.optimized == found.original
    assert "the seed stays" in found.sentence


async def test_the_budget_is_kept_and_the_test_comes_on_top(tmp_path: Path) -> None:
    found = await optimized(tmp_path, config(budget=Budget(max_calls=300)))

    assert found.plan.n_test_calls == 2 * 30
    assert found.n_calls <= 300 + found.plan.n_test_calls


async def test_without_examples_there_are_findings_and_nothing_is_claimed(tmp_path: Path) -> None:
    found = await core(Tutor()).optimize_prompt(config(), [], tmp_path)

    assert (found.is_promoted, found.improvement, found.n_candidates) == (False, None, 0)
    assert "nothing was measured" in found.sentence
    assert {one.aspect for one in found.findings} == {"clarity", "specificity", "effectiveness"}
    assert {one.found_by for one in found.findings} == {"rules", "m"}


async def test_killed_at_any_step_it_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    whole = await optimized(tmp_path / "whole")
    n_asked = 0

    class KilledError(Exception):
        pass

    def kill(_state: Any) -> None:
        raise KilledError

    found = None
    while found is None:
        models = Tutor()
        try:
            found = await core(models, on_step=kill if n_asked < 400 else (lambda _state: None)).optimize_prompt(
                config(), items(), tmp_path / "cut"
            )
        except KilledError:
            assert (tmp_path / "cut" / STATE).exists()
        n_asked += len([one for one in models.asked if "seed" in one and one["max_tokens"] not in (60, 200)])

    assert found.optimized == whole.optimized
    assert found.sentence == whole.sentence
    assert n_asked <= whole.n_calls, "no answered call is made twice"


async def test_another_configuration_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    await optimized(tmp_path)

    with pytest.raises(ConflictError, match=r"another configuration \(seed\)"):
        await optimized(tmp_path, config(seed=1))


@pytest.mark.parametrize(
    ("changes", "n", "told"),
    [
        ({}, 12, r"12 examples leave 3 for the split 'selection', which needs 5: give about 8 more"),
        ({"budget": Budget(max_calls=50)}, 120, r"a budget of 50 calls leaves 0 for the search"),
        ({"prompt": "Do it."}, 120, "does not say where the question goes"),
        ({"prompt": "Do {{ query }} with {{ tool }}"}, 120, "'tool' is undefined"),
    ],
)
async def test_what_cannot_be_is_told_before_a_call(tmp_path: Path, changes: dict[str, Any], n: int, told: str) -> None:
    models = Tutor()

    with pytest.raises(DataError, match=told):
        await core(models).optimize_prompt(config(**changes), items(n), tmp_path)

    assert models.asked == []


async def test_one_question_with_two_answers_is_refused(tmp_path: Path) -> None:
    twice = [*items(), DatasetItem(id="x", dataset="d", query="q1", scorer="exact", references=("no",))]

    with pytest.raises(DataError, match=r"item 'x' stands twice with different answers \(yes and no\)"):
        await core(Tutor()).optimize_prompt(config(), twice, tmp_path)
