"""From a prompt and examples to a prompt that fresh items prove, or to none."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.models import Price
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.scores import Score
from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts.ask import Target
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, RESULT
from neuroforge.prompts.earlier import read_earlier
from neuroforge.prompts.pipeline import PromptEngineeringCore
from neuroforge.prompts.plan import Contestants
from neuroforge.prompts.stopwatch import ELAPSED
from tests.unit.prompts.fakes import FakeModels, score

UNTIRING: dict[str, Any] = {"min_gain": 0, "patience": 1_000}
SEED = "Do it.\n\n{{ query }}"


class Tutor(FakeModels):
    """Right on every other question, and on all that it is told to think about; writes no prompts."""

    async def chat(self, messages: Any, model: str, **options: Any) -> Any:
        self.answer = answer
        body = await super().chat(messages, model, **options)
        n_tokens = sum(len(one["content"]) for one in messages) // 4
        return {**body, "usage": {"prompt_tokens": n_tokens, "completion_tokens": 2}}

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
    return [
        DatasetItem(id=f"i{k}", dataset="d", query=f"q{k}", scorer="exact", references=("yes",), max_tokens=8)
        for k in range(n)
    ]


def labelled() -> list[DatasetItem]:
    """Every other one is good."""
    answers = ("good", "bad")
    return [DatasetItem(**{**dict(item), "references": (answers[number % 2],)}) for number, item in enumerate(items())]


def config(**changes: Any) -> OptimizeConfig:
    fields: dict[str, Any] = {"name": "t", "prompt": SEED, "budget": Budget(max_calls=900), "block_size": 10}
    return OptimizeConfig(**(fields | {"use_logprobs": False} | changes))


async def no_wait(_seconds: float) -> None:
    return None


def core(models: FakeModels, contestants: Contestants | None = None, **more: Any) -> PromptEngineeringCore:
    contestants = contestants or Contestants(Target("m", "sha"), 4, ("m",))
    return PromptEngineeringCore(models, score, contestants, sleep=no_wait, **more)


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


@pytest.mark.parametrize("strategy", ["nas", "nas_evolution"])
async def test_a_search_over_structures_says_what_its_parts_are_worth(tmp_path: Path, strategy: str) -> None:
    found = await optimized(tmp_path, config(strategy=strategy))

    assert found.is_promoted
    assert found.template is not None
    assert (found.template.domain, found.template.program) == ("classification", found.optimized)
    cue = next(one for one in found.template.slots[:3] if one.slot == "reasoning_cue")
    chosen = next(one for one in cue.choices if one.is_chosen)
    assert "step by step" in chosen.value
    assert chosen.effect.low > 0.2


async def test_runs_beside_each_other_learn_from_one_another(tmp_path: Path) -> None:
    first = await optimized(tmp_path / "first", config(strategy="nas_evolution"))
    second = await optimized(tmp_path / "second", config(strategy="nas_evolution", name="u", seed=1))

    assert first.template is not None
    assert second.template is not None
    assert first.template.n_earlier == 0
    assert second.template.n_earlier > 30


async def test_what_was_measured_is_assessed_as_measured(tmp_path: Path) -> None:
    found = await optimized(tmp_path)

    assert found.improvement is not None
    told = found.assessments
    assert set(told) == {"original", "winner", "improvement"}
    assert {(one.basis, one.n) for one in told.values()} == {("measured", found.improvement.n)}
    assert told["winner"].score == found.scores["optimized"]


async def test_without_examples_four_earlier_runs_predict_what_is_not_measured(tmp_path: Path) -> None:
    for number in range(4):
        await optimized(tmp_path / f"{number}", config(seed=number, name=f"t{number}", budget=Budget(max_calls=300)))

    first = await core(Tutor()).optimize_prompt(config(), [], tmp_path / "elsewhere" / "new")
    found = await core(Tutor()).optimize_prompt(config(), [], tmp_path / "new")

    assert (first.assessments["original"].basis, found.assessments["original"].basis) == ("heuristic", "predicted")
    assert not found.assessments["original"].is_measured


@pytest.mark.parametrize("what", ["result", "column", "candidate"])
async def test_a_run_of_another_version_is_left_out_and_told(tmp_path: Path, what: str) -> None:
    await optimized(tmp_path / "old")
    path = tmp_path / "old" / (EVALUATIONS if what == "column" else CANDIDATES)
    match what:
        case "result":
            (tmp_path / "old" / RESULT).write_text('{"version": 0}')
        case "column":
            pq.write_table(pq.read_table(path).drop_columns(["split"]), path)
        case "candidate":
            pq.write_table(pq.read_table(path).slice(1), path)

    rows, unread, _ = read_earlier(tmp_path / "this")

    assert rows == ()
    assert "nothing was learned from this run" in unread[0]


async def test_where_nothing_helps_the_seed_stays_and_the_result_says_so(tmp_path: Path) -> None:
    models = FakeModels(answer=lambda _prompt: "no")

    found = await core(models).optimize_prompt(config(), items(), tmp_path)

    assert not found.is_promoted
    assert found.optimized == found.original
    assert "the seed stays" in found.sentence


async def test_the_budget_is_kept_and_the_test_comes_on_top(tmp_path: Path) -> None:
    found = await optimized(tmp_path, config(budget=Budget(max_calls=300)))

    assert found.plan.n_test_calls == 2 * 30
    assert found.n_calls <= 300 + found.plan.n_test_calls + found.plan.n_beside_calls_max


async def test_what_an_earlier_start_spent_counts_and_a_finished_run_asks_nothing(tmp_path: Path) -> None:
    first = await optimized(tmp_path)
    models = Tutor()

    again = await core(models).optimize_prompt(config(), items(), tmp_path)

    assert models.asked == []
    assert (again.n_calls, again.n_prompt_tokens, again.sentence) == (
        first.n_calls,
        first.n_prompt_tokens,
        first.sentence,
    )


@pytest.mark.parametrize("max_tokens", [25_000, 40_000])
async def test_a_budget_of_tokens_holds_selection_test_and_other_models_too(tmp_path: Path, max_tokens: int) -> None:
    found = await optimized(tmp_path, config(budget=Budget(max_tokens=max_tokens), **UNTIRING))

    assert found.ended_because == "the budget of tokens is used up"
    assert found.n_prompt_tokens + found.n_completion_tokens <= max_tokens
    assert found.is_promoted, "selection and test were paid for"


async def test_a_budget_of_money_holds(tmp_path: Path) -> None:
    price = Price(input_usd_per_million=100.0, output_usd_per_million=1_000.0)
    contestants = Contestants(Target("m", "sha", price=price), 4, ("m",), {"m": price})

    found = await core(Tutor(), contestants).optimize_prompt(
        config(budget=Budget(max_cost_usd=6.0), **UNTIRING), items(), tmp_path
    )

    assert found.ended_because == "the budget of money is used up"
    assert 0 < found.cost_usd <= 6.0


async def test_a_budget_of_time_leaves_what_selection_and_test_need_and_counts_earlier_starts(tmp_path: Path) -> None:
    (tmp_path / ELAPSED).write_text("3590")

    found = await optimized(tmp_path, config(budget=Budget(max_duration="1h"), min_gain=0))

    assert found.elapsed_s > 3590
    assert found.scores != {} or "the seed stays" in found.sentence


async def test_when_the_time_is_up_nothing_more_is_searched(tmp_path: Path) -> None:
    (tmp_path / ELAPSED).write_text("7200")

    found = await optimized(tmp_path, config(budget=Budget(max_duration="1h")))

    assert found.ended_because == "the budget of time is used up"
    assert "the seed stays" in found.sentence


async def test_rows_on_which_the_metric_raises_are_errors_and_the_run_goes_on(tmp_path: Path) -> None:
    async def fragile(item: DatasetItem, reply: str) -> Score:
        if item.id.endswith("3"):
            raise ZeroDivisionError("no words")
        return await score(item, reply)

    whole = PromptEngineeringCore(Tutor(), fragile, Contestants(Target("m"), 4, ("m",)), sleep=no_wait)
    found = await whole.optimize_prompt(config(), items(), tmp_path)

    assert found.is_promoted
    assert found.warnings[0].endswith(" x the metric raised ZeroDivisionError: no words")
    assert "answers of the search have no score: " in found.warnings[0]


@pytest.mark.parametrize(("use_logprobs", "labels"), [(True, ("bad", "good")), (False, ())])
async def test_a_result_names_the_labels_by_whose_probabilities_it_was_proven(
    tmp_path: Path, use_logprobs: bool, labels: tuple[str, ...]
) -> None:
    wanted = config(use_logprobs=use_logprobs, analyse=False, budget=Budget(max_calls=250))

    found = await core(FakeModels()).optimize_prompt(wanted, labelled(), tmp_path)

    assert found.labels == labels
    assert found.plan.is_by_labels is use_logprobs


async def test_labels_that_the_model_never_says_are_told(tmp_path: Path) -> None:
    told: list[OptimizeProgress] = []
    models = FakeModels(answer=lambda _prompt: "I feel fine")

    found = await core(models, on_progress=told.append).optimize_prompt(config(), labelled(), tmp_path)

    assert "answered none of 10 questions with one of the labels (bad, good)" in found.warnings[0]
    first = next(one for one in told if one.warnings)
    assert first.n_calls <= 120, "told at the first block"


async def test_progress_tells_the_best_with_its_interval_and_the_spend(tmp_path: Path) -> None:
    told: list[OptimizeProgress] = []

    await core(Tutor(), on_progress=told.append).optimize_prompt(config(), items(), tmp_path)

    assert [one.phase for one in told][-1] == "done"
    last = told[-1]
    assert last.best is not None
    assert last.best.low <= last.best.mean <= last.best.high
    assert last.n_calls > 100
    assert last.n_tokens > last.n_calls * 10


async def test_a_run_that_goes_on_tells_the_best_so_far_at_once(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(progress: OptimizeProgress) -> None:
        if progress.generation == 2:
            raise KilledError

    with pytest.raises(KilledError):
        await core(Tutor(), on_progress=kill).optimize_prompt(config(), items(), tmp_path)

    told: list[OptimizeProgress] = []
    await core(Tutor(), on_progress=told.append).optimize_prompt(config(), items(), tmp_path)
    first = next(one for one in told if one.phase == "searching")
    assert (first.generation, first.best is not None) == (2, True)


async def test_without_examples_there_are_findings_and_nothing_is_claimed(tmp_path: Path) -> None:
    found = await core(Tutor()).optimize_prompt(config(), [], tmp_path)

    assert (found.is_promoted, found.improvement, found.n_candidates) == (False, None, 0)
    assert "nothing was measured" in found.sentence
    assert {one.aspect for one in found.findings} == {"clarity", "specificity", "effectiveness"}
    assert {one.found_by for one in found.findings} == {"rules", "m"}


async def test_the_analysis_can_be_left_out(tmp_path: Path) -> None:
    models = Tutor()

    found = await core(models).optimize_prompt(config(analyse=False, proposers=()), items(), tmp_path)

    assert found.is_promoted
    assert {one.found_by for one in found.findings} == {"rules"}
    assert not any("Name the one thing" in str(one["messages"]) for one in models.asked)
    with pytest.raises(DataError, match="the analysis is all that there is"):
        await core(models).optimize_prompt(config(analyse=False), [], tmp_path / "nothing")


@pytest.mark.parametrize("strategy", ["evolution", "nas"])
async def test_killed_at_any_step_it_goes_on_and_ends_the_same(tmp_path: Path, strategy: str) -> None:
    whole = await optimized(tmp_path / "whole" / "t", config(strategy=strategy))
    n_asked = n_kills = 0

    class KilledError(Exception):
        pass

    n_told = 0

    def kill(_progress: Any) -> None:
        nonlocal n_told
        n_told += 1
        if n_told % 37 == 0:
            raise KilledError

    found = None
    while found is None:
        models = Tutor()
        told = kill if n_asked < 400 else (lambda _progress: None)
        try:
            found = await core(models, on_progress=told).optimize_prompt(
                config(strategy=strategy), items(), tmp_path / "cut" / "t"
            )
        except KilledError:
            n_kills += 1
        n_asked += len(models.asked)

    assert found.optimized == whole.optimized
    assert found.sentence == whole.sentence
    assert found.template == whole.template
    assert n_kills > 5
    assert n_asked <= whole.n_calls + 4 * n_kills, "no answered call is made twice"


async def test_another_configuration_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    await optimized(tmp_path)

    with pytest.raises(ConflictError, match=r"another configuration \(seed\)"):
        await optimized(tmp_path, config(seed=1))


@pytest.mark.parametrize(
    ("changes", "n", "told"),
    [
        ({}, 12, r"12 examples leave 3 for the split 'selection', which needs 5: give about 8 more"),
        ({"budget": Budget(max_calls=50)}, 120, r"budget.max_calls is 50, .* may take 140: raise it to that or more"),
        (
            {"budget": Budget(max_tokens=900)},
            120,
            r"budget.max_tokens is 900, .* raise it to that or more",
        ),
        ({"program": PromptProgram(instruction="Do it.", input_template="{{ qery }}"), "prompt": None}, 120, "'qery'"),
        ({"prompt": " "}, 120, "the prompt is empty"),
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
    twice = [*items(), DatasetItem(id="x", dataset="d", query=" Q1", scorer="exact", references=("no",))]

    with pytest.raises(DataError, match=r"stands twice with different answers: items 'i1' \(yes\) and 'x' \(no\)"):
        await core(Tutor()).optimize_prompt(config(), twice, tmp_path)


@pytest.mark.parametrize(("block_size", "n_generations"), [(10, 1), (4, 3), (2, 5)])
async def test_small_blocks_are_given_as_many_more_generations(
    tmp_path: Path, block_size: int, n_generations: int
) -> None:
    """Two items more say little of who is best."""
    wanted = config(block_size=block_size, patience=1, min_gain=0, budget=Budget(max_calls=5_000))

    found = await core(FakeModels(answer=lambda _prompt: "yes")).optimize_prompt(wanted, items(), tmp_path)

    assert found.ended_because == f"the best stayed the same for {n_generations} generations"
