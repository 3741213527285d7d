"""Searches over structures: what they find, how they repeat, and what they say about the parts."""

import functools
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizeConfig, PromptTemplate
from neuroforge.errors import DataError
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.prepare import prepare
from neuroforge.prompts.results import ResultLog
from neuroforge.prompts.structure import PromptNAS
from neuroforge.prompts.structure_engine import StructureEngine
from neuroforge.prompts.structure_state import StructureSettings, StructureState, StructureStrategy
from neuroforge.statistics.pairs import mcnemar_p_value
from tests.unit.prompts.fakes import FakeModels, asker
from tests.unit.prompts.searching import (
    BEST_CUE,
    SEED,
    evaluate,
    items,
    quality,
    quality_of_parts,
    rows_of,
    run,
    search_at_random,
    shuffled,
    space,
    structure_engine,
)

STRATEGIES: tuple[StructureStrategy, ...] = ("tpe", "regularized_evolution")


@functools.cache
def template(seed: int) -> PromptTemplate:
    one = run(structure_engine(n_items=150, max_calls=700, strategy="regularized_evolution", seed=seed))
    return one.template("text", one.ranking()[0])


class TestSearch:
    def test_it_finds_the_planted_structure_more_often_than_random_search_with_as_many_calls(self) -> None:
        n_won = n_lost = 0
        for strategy, seed in [("regularized_evolution", seed) for seed in range(10)] + [
            ("tpe", seed) for seed in range(4)
        ]:
            one = structure_engine(n_items=150, max_calls=500, strategy=strategy, seed=seed)
            ours = quality_of_parts(run(one, quality_of_parts).ranking()[0].program)
            theirs = quality_of_parts(search_at_random(500, seed, quality_of_parts))
            n_won += ours > 0.79 > theirs
            n_lost += theirs > 0.79 > ours

        assert n_won > n_lost
        assert mcnemar_p_value(n_won, n_lost) < 0.05

    def test_fine_tuning_goes_on_from_the_best_structures(self) -> None:
        one = run(structure_engine(n_items=150, max_calls=900, strategy="regularized_evolution"))
        operators = {candidate.operator for candidate in one.state.candidates}

        assert one.state.is_tuning
        assert {"seed", "surrogate", "regularized_evolution"} < operators
        assert operators & {"add_demonstrations", "edit_section", "swap_demonstrations", "reorder_demonstrations"}

    def test_the_structure_has_at_most_its_share_of_the_calls(self) -> None:
        one = structure_engine(n_items=150, max_calls=900, strategy="regularized_evolution", share=0.5)
        while not one.state.is_tuning:
            n_calls = one.state.n_calls
            for trial in one.ask().trials:
                one.tell(evaluate(trial))

        assert 0.25 * 900 < n_calls <= 0.5 * 900

    @pytest.mark.parametrize("max_calls", [10, 95, 333])
    def test_the_budget_is_never_passed(self, max_calls: int) -> None:
        one = run(structure_engine(max_calls=max_calls, strategy="regularized_evolution"))

        assert one.state.n_calls <= max_calls
        assert one.ranking()

    def test_a_budget_for_less_than_one_candidate_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"9 calls does not take one candidate through the first 10 items"):
            structure_engine(max_calls=9)

    def test_it_ends_where_structure_makes_no_difference(self) -> None:
        one = run(structure_engine(strategy="regularized_evolution", patience=2), truth=lambda _program: 0.5)

        assert one.is_over
        assert one.state.n_calls < 1_500


class TestRepetition:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_the_order_of_answers_changes_nothing(self, strategy: StructureStrategy) -> None:
        straight = run(structure_engine(max_calls=500, strategy=strategy, seed=5)).state
        mixed = run(structure_engine(max_calls=500, strategy=strategy, seed=5), order=shuffled(1)).state

        assert mixed.candidates == straight.candidates
        assert mixed.elite == straight.elite

    @pytest.mark.parametrize(
        ("strategy", "n_steps"), [("tpe", 14), ("tpe", 30), ("regularized_evolution", 1), ("regularized_evolution", 47)]
    )
    def test_it_goes_on_from_json_as_if_nothing_had_been(self, strategy: StructureStrategy, n_steps: int) -> None:
        whole = run(structure_engine(max_calls=500, strategy=strategy, seed=2))
        part = run(structure_engine(max_calls=500, strategy=strategy, seed=2), n_steps=n_steps)
        blocks = [tuple(f"i{k}" for k in range(start, start + 10)) for start in range(0, 60, 10)]
        state = StructureState.model_validate_json(part.state.model_dump_json())

        resumed = StructureEngine(StructureSettings(max_calls=500, strategy=strategy, seed=2), space(), blocks, state)

        assert run(resumed).state.candidates == whole.state.candidates
        assert resumed.state.evaluations == whole.state.evaluations


class TestAttribution:
    def test_the_planted_slots_have_the_largest_shares(self) -> None:
        found = [{one.slot: one.share.mean for one in template(seed).slots} for seed in range(6)]
        means = {name: np.mean([one[name] for one in found]) for name in found[0]}
        largest = sorted(means, key=lambda name: -means[name])[:3]

        assert set(largest) == {"reasoning_cue", "n_demonstrations", "delimiter"}

    def test_intervals_of_effects_hold_the_truth_at_about_their_rate(self) -> None:
        """Planted: .2 for one cue, .1 for XML, .05 for each of up to four examples, nothing else."""
        held = []
        for seed in range(6):
            for slot in template(seed).slots:
                for choice in slot.choices[1:]:
                    held.append(choice.effect.low <= planted(slot.slot, choice.value) <= choice.effect.high)

        assert len(held) > 200
        assert np.mean(held) > 0.9

    def test_shares_of_slots_are_of_one_whole(self) -> None:
        total = sum(one.share.mean for one in template(0).slots)

        assert 0.5 < total <= 1.0, "the rest is interactions"

    def test_it_names_the_prompt_and_what_was_chosen(self) -> None:
        found = template(0)
        cue = next(one for one in found.slots if one.slot == "reasoning_cue")

        assert found.domain == "text"
        assert found.program.reasoning_cue == BEST_CUE
        assert [one.value for one in cue.choices if one.is_chosen] == [BEST_CUE]
        assert BEST_CUE in found.text
        assert cue.choices[0].effect.mean == cue.choices[0].effect.high == 0.0, "the seed's own"


def test_a_search_begins_where_others_of_its_kind_ended() -> None:
    earlier = [
        row
        for seed in (11, 12)
        for row in rows_of(
            run(structure_engine(n_items=150, max_calls=600, strategy="regularized_evolution", seed=seed)), f"{seed}"
        )
    ]
    firsts = {}
    for name, rows in (("cold", []), ("warm", earlier)):
        one = structure_engine(n_items=150, earlier=rows, strategy="regularized_evolution", seed=3)
        firsts[name] = np.mean([quality(trial.candidate.program) for trial in one.ask().trials[1:]])

    assert firsts["warm"] > firsts["cold"] + 0.05


def test_at_most_fifty_rows_of_a_run_and_two_hundred_in_all_are_learned_from() -> None:
    row = EvaluatedProgram("", "text", SEED, 0, 0.5, None, 10)
    earlier = [replace(row, run=f"r{run_id}", block=block) for run_id in range(6) for block in range(60)]

    kept = structure_engine(earlier=earlier).state.earlier

    assert [sum(one.task == task for one in kept) for task in range(1, 7)] == [50, 50, 50, 50, 0, 0]


def planted(slot: str, value: str) -> float:
    if slot == "reasoning_cue":
        return 0.2 if value == BEST_CUE else 0.0
    if slot == "delimiter":
        return 0.1 if value == "xml" else 0.0
    return 0.05 * min(4, int(value)) if slot == "n_demonstrations" else 0.0


def test_a_candidate_of_a_round_sees_the_items_of_that_round() -> None:
    one = structure_engine(strategy="regularized_evolution", population=4)
    first = one.ask().trials
    for trial in first:
        one.tell(evaluate(trial))

    second = one.ask().trials

    assert {trial.item_ids for trial in first} == {tuple(item.id for item in items()[:10])}
    assert {trial.item_ids for trial in second} == {tuple(item.id for item in items()[10:20])}


async def test_a_domain_and_a_model_are_all_that_it_takes(tmp_path: Path) -> None:
    config = OptimizeConfig(
        name="t",
        prompt="Do it.\n\n{{ query }}",
        use_logprobs=False,
        budget=Budget(max_calls=700),
        block_size=10,
    )
    prepared = prepare(config, items(80))
    nas = PromptNAS(StructureSettings(max_calls=400, strategy="regularized_evolution"), space(), prepared)

    def reply(prompt: str) -> str:
        """Right where it is told to think."""
        return f"a{prompt.rpartition('q')[2].split()[0]}" if BEST_CUE in prompt else "no"

    with closing(ResultLog(tmp_path / "results.jsonl", lambda: 0.0)) as log:
        evaluator = Evaluator(asker(FakeModels(answer=reply)), prepared.by_id, log, 4)
        found = await nas.search_optimal_prompt_architecture("text", evaluator)

    assert found.program.reasoning_cue == BEST_CUE
    assert found.fitness.mean > 0.8
    assert found.slots[0].slot == "reasoning_cue"
