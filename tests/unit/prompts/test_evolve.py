"""What a search does with what it is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptProgram
from neuroforge.errors import DataError, NotFound
from neuroforge.prompts.evolution_state import Afforded, EvolutionSettings, EvolutionState, Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from tests.unit.prompts.searching import SEED, engine, evaluate, pool, quality, run, shuffled, space


def mean_of_seeds(truth: Any = quality, **settings: Any) -> float:
    found = [run(engine(seed=seed, **settings), truth).ranking()[0].program for seed in range(8)]
    return sum(truth(one) for one in found) / len(found)


class TestSearch:
    def test_it_climbs(self) -> None:
        assert quality(SEED) == 0.3
        assert mean_of_seeds(max_calls=250) > 0.7

    def test_more_calls_find_more(self) -> None:
        assert mean_of_seeds(max_calls=250) > mean_of_seeds(max_calls=40) + 0.1

    def test_the_first_candidate_is_the_seed(self) -> None:
        first = engine().ask().trials[0].candidate

        assert (first.program, first.operator, first.parents) == (SEED, "seed", ())

    def test_candidates_of_one_race_see_the_same_items(self) -> None:
        trials = engine(population=6).ask().trials

        assert len(trials) == 6
        assert len({trial.item_ids for trial in trials}) == 1

    def test_the_next_generation_sees_other_items(self) -> None:
        one = engine()
        first = one.ask().trials
        for trial in first:
            one.tell(evaluate(trial))
        second = one.ask().trials

        assert {trial.item_ids for trial in second} == {tuple(f"i{k}" for k in range(10, 20))}
        known = {trial.candidate.id for trial in first}
        assert 3 <= sum(trial.candidate.id in known for trial in second) < len(second) == 8

    def test_a_child_names_its_parents(self) -> None:
        one = run(engine(max_calls=600))
        ids = {candidate.id for candidate in one.state.candidates}

        children = [candidate for candidate in one.state.candidates if candidate.generation > 0]

        assert children
        assert all(child.parents and set(child.parents) <= ids for child in children)

    def test_no_program_is_tried_twice(self) -> None:
        programs = [candidate.program.model_dump_json() for candidate in run(engine(max_calls=1_000)).state.candidates]

        assert len(programs) == len(set(programs))


class TestRepetition:
    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_the_order_of_answers_changes_nothing(self, order: int) -> None:
        straight = run(engine(max_calls=800, seed=5)).state
        mixed = run(engine(max_calls=800, seed=5), order=shuffled(order)).state

        assert mixed.candidates == straight.candidates
        assert mixed.elite == straight.elite

    @pytest.mark.parametrize("n_steps", [1, 13, 40, 61])
    def test_it_goes_on_from_json_as_if_nothing_had_been(self, n_steps: int) -> None:
        whole = run(engine(max_calls=800, seed=2))
        part = run(engine(max_calls=800, seed=2), n_steps=n_steps)
        text = part.state.model_dump_json()

        blocks = [trial.item_ids for trial in engine().ask().trials][:1]
        blocks = [tuple(f"i{k}" for k in range(start, start + 10)) for start in range(0, 60, 10)]
        resumed = PromptEvolutionEngine(
            EvolutionSettings(max_calls=800, seed=2), space(), blocks, EvolutionState.model_validate_json(text)
        )

        assert run(resumed).state.candidates == whole.state.candidates
        assert resumed.state.evaluations == whole.state.evaluations

    def test_an_answer_that_comes_twice_counts_once(self) -> None:
        one = engine()
        told = evaluate(one.ask().trials[0])
        one.tell(told)
        one.tell(told)

        assert one.state.n_calls == 10

    def test_an_answer_for_nobody_is_an_error(self) -> None:
        told = evaluate(engine().ask().trials[0])

        with pytest.raises(NotFound, match="no candidate 'x'"):
            engine().tell(Evaluation(**{**dict(told), "candidate_id": "x"}))


class TestEnd:
    @pytest.mark.parametrize("max_calls", [10, 95, 333])
    def test_the_budget_is_never_passed(self, max_calls: int) -> None:
        one = run(engine(max_calls=max_calls))

        assert one.state.n_calls <= max_calls
        assert one.state.ended_because == "the budget of calls is used up"
        assert one.ranking()

    def test_a_budget_for_less_than_one_candidate_is_refused_before_a_call(self) -> None:
        with pytest.raises(DataError, match=r"9 calls does not take one candidate through the first 10 items"):
            engine(max_calls=9)

    def test_it_ends_after_so_many_generations(self) -> None:
        one = run(engine(max_generations=2))

        assert one.state.ended_because == "2 generations are over"

    def test_it_ends_when_nothing_gets_better(self) -> None:
        one = run(engine(patience=3), truth=lambda _program: 0.5)

        assert one.state.ended_because is not None
        assert "stayed the same" in one.state.ended_because or "would gain" in one.state.ended_because
        assert one.state.n_calls < 2_000

    def test_without_items_there_is_nothing_to_search_on(self) -> None:
        with pytest.raises(DataError, match="no items"):
            PromptEvolutionEngine.begin(EvolutionSettings(), space(), [], SEED, pool())

    def test_who_is_too_dear_for_what_is_left_is_passed_over(self) -> None:
        """Tokens for prompts of four examples, and no longer ones."""
        most = 10 * (10 + 5 * 4)
        one = run(engine(purse=Tokens(most_a_trial=most, total=20 * most), seed=1))

        told = [len(one.state.candidate(each.candidate_id).program.demonstrations) for each in one.state.evaluations]
        made = [len(each.program.demonstrations) for each in one.state.candidates if not each.program.n_nearest]
        assert max(made) > 4, "some were too dear"
        assert max(told) <= 4
        assert len(told) >= 20, "and the search went on for as long as others were not"
        assert one.state.ended_because == "the budget of tokens is used up"


@dataclass(frozen=True)
class Tokens:
    """Pays for prompts up to a length, until the total is spent."""

    most_a_trial: int
    total: int

    def afford(self, trials: Sequence[Trial], state: EvolutionState) -> Afforded:
        left = self.total - sum(one.n_prompt_tokens for one in state.evaluations)
        for place, trial in enumerate(trials):
            n_tokens = len(trial.item_ids) * (10 + 5 * len(trial.candidate.program.demonstrations))
            left -= n_tokens
            if left < 0 or n_tokens > self.most_a_trial:
                return Afforded(place, "tokens")
        return Afforded(len(trials))


class TestRaces:
    def test_losers_stop_early(self) -> None:
        """Where it is decided from the start losers see one block, and some others several."""

        def truth(program: PromptProgram) -> float:
            return 0.9 if program.reasoning_cue is not None else 0.1

        one = run(engine(n_items=60, max_calls=3_000, max_generations=8), truth)
        n_blocks = {candidate.id: 0 for candidate in one.state.candidates}
        for told in one.state.evaluations:
            n_blocks[told.candidate_id] += 1

        losers, winners = (
            [n for name, n in n_blocks.items() if truth(one.state.candidate(name).program) == level]
            for level in (0.1, 0.9)
        )
        assert sum(losers) / len(losers) < 1.2
        assert max(winners) >= 3

    def test_items_without_a_fitness_are_left_out_not_counted_as_zero(self) -> None:
        one = engine(population=2, n_survivors=1)
        first, second = one.ask().trials
        good = evaluate(first, lambda _program: 1.0)
        holes = (None,) * 9 + (1.0,)
        one.tell(good)
        one.tell(Evaluation(**{**dict(evaluate(second)), "scores": holes, "fitness": holes}))

        assert one.fitness_of(second.candidate.id) == {"i9": 1.0}


class TestSeed:
    def test_it_gives_way_to_what_is_likely_better_only(self) -> None:
        better, alike = run(engine(max_calls=250)), run(engine(max_calls=250), truth=lambda _program: 0.5)

        for one, is_likely in ((better, True), (alike, False)):
            best, seed = one.ranking()[0].id, one.state.candidates[0].id
            assert one.is_likely_better(best, seed, {}, 0.8) is is_likely


class TestOperators:
    def test_what_pays_is_used_more(self) -> None:
        one = run(engine(max_calls=3_000, patience=20, seed=1))

        credits = one.state.credits
        assert sum(credit.n_children for credit in credits.values()) > 30
        assert max(credits.values(), key=lambda credit: credit.gain).gain > 0.1

    def test_the_front_holds_the_best_and_nothing_that_another_beats_in_all(self) -> None:
        one = run(engine(max_calls=1_500))

        assert one.ranking()[0] in one.front()

    def test_of_one_items_right_answers_the_first_is_shown(self) -> None:
        one = engine()
        first, second = (
            Demonstration(question="q1", answer="a1", reasoning=text, item_id="i1", is_bootstrapped=True)
            for text in ("By one way.", "By another.")
        )
        one.add_to_pool([first, second])
        one.add_to_pool([second])

        assert one.state.pool == (*pool(), first)

    def test_wishes_are_answered_before_the_race_goes_on(self) -> None:
        one = run(engine(has_proposers=True, seed=3, population=20))
        while not (wishes := one.ask().wishes):
            for trial in one.ask().trials:
                one.tell(evaluate(trial))
            assert not one.is_over

        for number, wish in enumerate(wishes):
            one.offer(wish.id, PromptProgram(instruction=f"Written by a model, {number}."))

        trials = one.ask().trials
        written = [trial.candidate for trial in trials if "Written by a model" in trial.candidate.program.instruction]
        assert [candidate.operator for candidate in written] == [wish.operator for wish in wishes]

    def test_a_wish_that_nobody_can_fulfil_is_left_out(self) -> None:
        one = run(engine(has_proposers=True, seed=3, population=20))
        while not (wishes := one.ask().wishes):
            for trial in one.ask().trials:
                one.tell(evaluate(trial))

        for wish in wishes:
            one.offer(wish.id, None)

        assert one.ask().wishes == ()
