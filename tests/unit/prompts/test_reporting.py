"""What the page says about a search."""

import pytest

from neuroforge.contracts.prompts import Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.reporting.lineage import build_lineage
from neuroforge.prompts.reporting.parts import list_operators, list_parts
from tests.unit.prompts.searching import SEED, space


def candidate(name: str, program: PromptProgram, operator: str, *parents: str) -> PromptCandidate:
    return PromptCandidate(id=name, program=program, operator=operator, parents=parents)


def told(name: str, *scores: float) -> Evaluation:
    return Evaluation(
        candidate_id=name,
        block=0,
        item_ids=tuple(f"i{k}" for k in range(len(scores))),
        scores=scores,
        fitness=scores,
        n_calls=len(scores),
        n_prompt_tokens=0,
        n_completion_tokens=0,
    )


CUE = PromptProgram(instruction="Do it.", reasoning_cue="Think step by step.")
BOTH = PromptProgram(instruction="Do it.", reasoning_cue="Think step by step.", answer_cue="Answer:")
STATE = EvolutionState(
    candidates=(
        candidate("seed", SEED, "seed"),
        candidate("a", CUE, "edit_section", "seed"),
        candidate("b", BOTH, "cross_sections", "a", "seed"),
        candidate("unseen", PromptProgram(instruction="x"), "edit_section", "seed"),
    ),
    evaluations=(told("seed", 0.0, 0.0, 1.0, 1.0), told("a", 1.0, 1.0, 1.0, 1.0), told("b", 1.0, 1.0)),
)


def test_the_tree_goes_from_the_winner_to_the_seed_by_all_parents() -> None:
    tree = build_lineage(STATE, "b")

    assert [(one.depth, one.candidate.id) for one in tree] == [(0, "b"), (1, "a"), (2, "seed"), (1, "seed")]
    assert tree[0].changes == ("answer_cue: None -> 'Answer:'",)
    assert (tree[1].fitness, tree[1].n_items) == (1.0, 4)


def test_ancestors_that_were_told_are_not_told_again() -> None:
    twice = EvolutionState(
        candidates=(*STATE.candidates, candidate("c", BOTH, "cross_sections", "b", "a")), evaluations=STATE.evaluations
    )

    tree = build_lineage(twice, "c")

    assert [(one.candidate.id, one.is_told) for one in tree] == [
        ("c", False), ("b", False), ("a", False), ("seed", False), ("seed", False), ("a", True),
    ]  # fmt: skip


def test_operators_are_told_by_what_their_children_gained_over_their_first_parent() -> None:
    found = list_operators(STATE)

    assert [(one.name, one.n_children, one.n_better) for one in found] == [
        ("edit_section", 1, 1),
        ("cross_sections", 1, 0),
    ]
    assert found[0].gain == pytest.approx(0.5)
    assert found[1].gain == pytest.approx(0.0)


def test_parts_are_told_by_the_value_that_a_child_took() -> None:
    found = {(one.slot, one.value): one.gain for one in list_parts(STATE, space())}

    assert found == {("reasoning_cue", "Think step by step."): 0.5, ("answer_cue", "Answer:"): 0.0}


def test_a_child_that_changed_two_parts_shares_its_gain_between_them() -> None:
    jump = EvolutionState(
        candidates=(STATE.candidates[0], candidate("j", BOTH, "random_design", "seed")),
        evaluations=(told("seed", 0.0, 0.0), told("j", 1.0, 1.0)),
    )

    assert {one.slot: one.gain for one in list_parts(jump, space())} == {"reasoning_cue": 0.5, "answer_cue": 0.5}
