"""What operators do to programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.prompts import Demonstration, PromptProgram, PromptStyle
from neuroforge.prompts.operators import OPERATORS, Breeding, breed
from neuroforge.prompts.space import build_space
from tests.unit.prompts.searching import items, pool, space

SHOWN = pool()[:4]
PARENT = PromptProgram(instruction="Do it.", demonstrations=SHOWN, role="You are an expert.")
OTHER = PromptProgram(instruction="Answer the question.", reasoning_cue="Think step by step.")
THIRD = PromptProgram(instruction="Answer the question.", style=PromptStyle(delimiter="xml"), demonstrations=SHOWN[:1])


def breeding(*elite: PromptProgram) -> Breeding:
    return Breeding(space(), pool(), 8, elite)


def children(name: str, *parents: PromptProgram, n: int = 60) -> list[PromptProgram]:
    found = [breed(name, parents, breeding(*parents), np.random.default_rng(seed)) for seed in range(n)]
    return [one for one in found if one is not None]


@given(name=st.sampled_from(sorted(OPERATORS)), seed=st.integers(0, 2**32 - 1), n=st.integers(1, 3))
def test_every_child_differs_and_keeps_within_bounds(name: str, seed: int, n: int) -> None:
    child = breed(name, (PARENT, OTHER, THIRD)[:n], breeding(PARENT, OTHER), np.random.default_rng(seed))

    if child is not None:
        assert child != PARENT
        assert len(child.demonstrations) <= 8
        assert len(set(child.demonstrations)) == len(child.demonstrations)


def test_an_edit_changes_one_slot() -> None:
    for child in children("edit_section", PARENT):
        before, after = space().read(PARENT), space().read(child)
        assert sum(before[name] != after[name] for name in before) == 1


def test_crossing_takes_every_section_from_one_of_the_two() -> None:
    first, second = space().read(PARENT), space().read(OTHER)
    for child in children("cross_sections", PARENT, OTHER):
        values = space().read(child)
        assert all(values[name] in (first[name], second[name]) for name in values)


def test_where_two_others_agree_nothing_changes() -> None:
    """OTHER and THIRD have the same instruction and no role."""
    for child in children("differ_in_slots", PARENT, OTHER, THIRD):
        assert (child.instruction, child.role) == (PARENT.instruction, PARENT.role)


def test_what_the_elite_has_is_drawn_most() -> None:
    drawn = [
        breed("sample_distribution", (PARENT,), breeding(OTHER, OTHER, OTHER), np.random.default_rng(seed))
        for seed in range(200)
    ]

    cues = [one.reasoning_cue for one in drawn if one is not None]
    assert cues.count("Think step by step.") / len(cues) == pytest.approx((3 + 1 / 4) / (3 + 1), abs=0.1)


def test_demonstrations_are_added_dropped_swapped_and_put_in_another_order() -> None:
    assert {len(one.demonstrations) for one in children("add_demonstrations", PARENT)} == {5, 6, 7, 8}
    assert {len(one.demonstrations) for one in children("drop_demonstrations", PARENT)} == {2, 3}
    assert {len(one.demonstrations) for one in children("swap_demonstrations", PARENT)} == {4}
    for one in children("reorder_demonstrations", PARENT):
        assert sorted(map(repr, one.demonstrations)) == sorted(map(repr, SHOWN))


@pytest.mark.parametrize("name", ["drop_demonstrations", "swap_demonstrations", "reorder_demonstrations"])
def test_without_demonstrations_these_have_nothing_to_offer(name: str) -> None:
    assert children(name, OTHER) == []


def test_a_full_program_gets_no_more_demonstrations() -> None:
    full = PromptProgram(demonstrations=tuple(Demonstration(question=f"q{k}", answer="a") for k in range(8)))

    assert children("add_demonstrations", full) == []


NEAREST = PromptProgram(instruction="Do it.", demonstrations=pool(40), n_nearest=4)


def pooled_children(name: str, *parents: PromptProgram, more: tuple[Demonstration, ...] = ()) -> list[PromptProgram]:
    wide = build_space(PARENT, items(), 8, pool(40))
    found = [
        breed(name, parents, Breeding(wide, (*pool(40), *more), 8, parents), np.random.default_rng(seed))
        for seed in range(60)
    ]
    return [one for one in found if one is not None]


@given(name=st.sampled_from(sorted(OPERATORS)), seed=st.integers(0, 2**32 - 1), n=st.integers(1, 3))
def test_children_of_pools_keep_within_bounds(name: str, seed: int, n: int) -> None:
    wide = build_space(PARENT, items(), 8, pool(40))
    parents = (NEAREST, PARENT, OTHER)
    child = breed(name, parents[:n], Breeding(wide, pool(40), 8, parents), np.random.default_rng(seed))

    if child is not None:
        assert child != NEAREST
        assert child.n_nearest is None or (1 <= child.n_nearest <= 8 and len(child.demonstrations) == 40)
        assert child.n_nearest is not None or len(child.demonstrations) <= 8


def test_each_question_is_shown_the_nearest_or_another_number_of_them() -> None:
    for child in pooled_children("show_nearest", PARENT):
        assert child.n_nearest in (1, 2, 4, 8)
        assert child.demonstrations[:4] == SHOWN, "those of the seed come first in the pool"
    assert {one.n_nearest for one in pooled_children("show_nearest", NEAREST)} == {1, 2, 8}


def test_of_a_pool_more_or_fewer_are_shown_and_their_order_is_the_questions() -> None:
    assert {one.n_nearest for one in pooled_children("add_demonstrations", NEAREST)} == {5, 6, 7, 8}
    assert {one.n_nearest for one in pooled_children("drop_demonstrations", NEAREST)} == {2, 3}
    assert pooled_children("reorder_demonstrations", NEAREST) == []
    assert pooled_children("swap_demonstrations", NEAREST) == []


def test_the_models_own_right_answers_take_the_place_of_the_items_in_a_pool() -> None:
    own = Demonstration(question="p3", answer="a0", reasoning="Since 3.", item_id="p3", is_bootstrapped=True)
    thinking = PromptProgram(**{**dict(NEAREST), "reasoning_cue": "Think."})
    (child, *_others) = pooled_children("swap_demonstrations", thinking, more=(own,))

    assert child.demonstrations[3] == own
    assert (len(child.demonstrations), child.n_nearest) == (40, 4)


def test_half_of_the_designs_choose_by_the_question_where_there_is_a_pool() -> None:
    drawn = [one.n_nearest for one in pooled_children("redesign", PARENT)]

    assert 0.3 < sum(one is not None for one in drawn) / len(drawn) < 0.7
