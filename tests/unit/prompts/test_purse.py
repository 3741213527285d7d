"""How far a budget goes."""

import math
from dataclasses import replace
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.models import Price
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionState, Trial
from neuroforge.prompts.purse import Purse
from neuroforge.prompts.spend import MARGIN, MESSAGE_BYTES, Estimator, Rates, Spent

SEED = PromptProgram(instruction="x" * 80, input_template="{{ query }}")
OTHER = PromptProgram(instruction="y" * 80)
ITEMS = {f"i{k}": DatasetItem(id=f"i{k}", dataset="d", query="q" * 20, scorer="exact", references=("a",), max_tokens=4)
         for k in range(30)}  # fmt: skip
SEARCH, SELECTION, TEST = tuple(ITEMS)[:10], tuple(ITEMS)[10:20], tuple(ITEMS)[20:]
CALL_BYTES = MESSAGE_BYTES + 80 + 2 + 20
"""The instruction, an empty line, the question, and the chat template around them."""
BLOCK = math.ceil(10 * CALL_BYTES * MARGIN)
"""Tokens of ten calls, where a byte was a token so far."""


def purse(budget: Budget, n_beside: int = 0) -> Purse:
    price = Price(input_usd_per_million=1e6, output_usd_per_million=0)
    estimator = Estimator(ITEMS, ("a", "b"), price)
    return Purse(budget, estimator, SEED, SELECTION, TEST, lambda: Spent(1, n_beside))


def trials(*programs: PromptProgram) -> tuple[Trial, ...]:
    return tuple(Trial(candidate(program), 0, SEARCH) for program in programs)


def candidate(program: PromptProgram) -> PromptCandidate:
    return PromptCandidate(id=program.instruction[0], program=program, operator="seed")


def told(**changes: Any) -> EvolutionState:
    values = {"candidate_id": "x", "block": 0, "item_ids": SEARCH, "scores": (1.0,) * 10, "fitness": (1.0,) * 10}
    evaluation = Evaluation(**{**values, "n_calls": 10, "n_prompt_tokens": 0, "n_completion_tokens": 0, **changes})
    return EvolutionState(candidates=(candidate(SEED), candidate(OTHER)), evaluations=(evaluation,), n_calls=10)


def test_a_call_is_as_long_as_its_prompt() -> None:
    found = Estimator(ITEMS, (), Price()).estimate(SEED, SEARCH, Rates(per_byte=0.5, fill=0.5))

    assert found == Spent(10, 10 * CALL_BYTES // 2, 20, 0.0)


def test_calls_without_a_question_count_once_for_each_prompt_that_they_calibrate() -> None:
    shown = tuple(Demonstration(question="q", answer="a", item_id=one) for one in SEARCH[:3])
    program = PromptProgram(instruction="x", demonstrations=shown, calibrate=True)
    estimator = Estimator(ITEMS, ("a", "b"), Price())

    assert estimator.count_calls(program, SEARCH) == 10 + 1 + 3, "each of the three is asked without itself"
    assert estimator.count_calls(program, SELECTION) == 10 + 1
    assert Estimator(ITEMS, (), Price()).count_calls(program, SEARCH) == 10


def test_prompts_whose_examples_the_question_chooses_are_as_long_as_these() -> None:
    texts = ["q" * 20, "other words here", "and quite some others"]
    pool = tuple(Demonstration(question=text, answer="a", item_id=f"p{k}") for k, text in enumerate(texts))
    chosen = PromptProgram(demonstrations=pool, n_nearest=1, calibrate=True)
    fixed = PromptProgram(demonstrations=pool[:1])
    estimator = Estimator(ITEMS, ("a", "b"), Price())

    assert estimator.count_bytes(chosen, SEARCH) == estimator.count_bytes(fixed, SEARCH)
    assert estimator.count_calls(chosen, SEARCH) == 20, "each has examples of its own, and is calibrated with them"


def test_the_test_is_reckoned_with_the_examples_that_it_will_show() -> None:
    short, long = (Demonstration(question="q" * n, answer="a", item_id=f"p{n}") for n in (20, 500))
    chooses = PromptProgram(demonstrations=(short,), n_nearest=2)
    final = PromptProgram(demonstrations=(short, long), n_nearest=2)
    limited = replace(purse(Budget(max_tokens=10_000)), final=lambda one: final if one == chooses else one)

    plain = purse(limited.budget)
    (selection, test), before = (one.reserve([chooses], Rates(1.0, 1.0)) for one in (limited, plain))

    assert test.n_tokens - before[1].n_tokens > 10 * 500, "each of ten items shows the long one, too"
    assert selection == before[0]


def test_where_labels_are_read_nothing_is_generated() -> None:
    assert Estimator(ITEMS, ("a", "b"), Price()).estimate(SEED, SEARCH, Rates(0.5, 1.0)).n_completion_tokens == 0


def test_prompts_are_taken_for_as_dense_and_answers_for_as_long_as_the_most_so_far() -> None:
    estimator = Estimator(ITEMS, (), Price())
    one = told(n_prompt_tokens=CALL_BYTES * 10 // 4, n_completion_tokens=20).evaluations[0]

    found = estimator.rates([(SEED, one)])

    assert found.per_byte == pytest.approx(MARGIN / 4, rel=0.01)
    assert found.fill == pytest.approx(MARGIN / 2)


@pytest.mark.parametrize(("max_calls", "n_trials"), [(59, 0), (60, 1), (69, 1), (70, 2)])
def test_calls_are_kept_for_the_selection_of_four_and_none_for_the_test(max_calls: int, n_trials: int) -> None:
    afforded = purse(Budget(max_calls=max_calls)).afford(trials(OTHER, SEED), told())

    assert afforded.n_trials == n_trials
    assert afforded.limit == (None if n_trials == 2 else "calls")


def test_the_first_block_of_the_seed_is_asked_before_anything_is_known_of_tokens() -> None:
    assert purse(Budget(max_tokens=1)).afford(trials(SEED, OTHER), EvolutionState()).n_trials == 1


def test_tokens_are_kept_for_selection_and_test_and_calls_beside_count() -> None:
    state = told(n_prompt_tokens=10 * CALL_BYTES)
    needed = 10 * CALL_BYTES + BLOCK + 4 * BLOCK + 2 * BLOCK

    assert purse(Budget(max_tokens=needed)).afford(trials(OTHER), state).n_trials == 1
    assert purse(Budget(max_tokens=needed - 1)).afford(trials(OTHER), state).limit == "tokens"
    assert purse(Budget(max_tokens=needed), n_beside=1).afford(trials(OTHER), state).limit == "tokens"


def test_money_is_tokens_at_their_price() -> None:
    state = told(n_prompt_tokens=10 * CALL_BYTES, cost_usd=5.0)

    assert purse(Budget(max_cost_usd=7 * BLOCK + 5.1)).afford(trials(OTHER), state).n_trials == 1
    assert purse(Budget(max_cost_usd=7 * BLOCK + 4.9)).afford(trials(OTHER), state).limit == "money"


def test_a_longer_rival_needs_more_to_be_kept() -> None:
    long = PromptProgram(instruction="z" * 8_000)
    state = told(n_prompt_tokens=10 * CALL_BYTES)
    with_long = EvolutionState(candidates=(*state.candidates, candidate(long)), evaluations=state.evaluations,
                               elite=("z",))  # fmt: skip
    budget = Budget(max_tokens=9 * BLOCK)

    assert purse(budget).afford(trials(OTHER), state).n_trials == 1
    assert purse(budget).afford(trials(OTHER), with_long).n_trials == 0
