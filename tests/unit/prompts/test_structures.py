"""Structures as codes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.space import build_space
from neuroforge.prompts.structure_model import NONE
from neuroforge.prompts.structure_state import StructureRow, recode
from neuroforge.prompts.structures import structures_of
from tests.unit.prompts.searching import SEED, items, pool, space, structures

SPACE = structures()
NAMES = [slot.name for slot in SPACE.slots]


@given(st.tuples(*(st.integers(0, size - 1) for size in SPACE.sizes)))
def test_a_structure_is_one_program_and_back(raw: tuple[int, ...]) -> None:
    codes = SPACE.settle(np.array(raw))

    assert SPACE.encode(SPACE.decode(codes)).tolist() == codes.tolist()


@given(st.integers(0, 1))
def test_a_slot_that_makes_no_difference_has_no_code(style: int) -> None:
    codes = np.zeros(len(NAMES), dtype=np.int64)
    codes[NAMES.index("demonstration_style")] = style

    assert SPACE.settle(codes)[NAMES.index("demonstration_style")] == NONE


def test_a_value_that_is_no_choice_has_no_code() -> None:
    codes = SPACE.encode(PromptProgram(instruction="Written elsewhere.", role="You are an expert."))

    assert codes[NAMES.index("instruction")] == NONE
    assert codes[NAMES.index("role")] == 1


def test_neighbours_differ_in_one_slot_and_in_what_hangs_on_it() -> None:
    start = SPACE.encode(SEED)
    differing = [np.flatnonzero(one != start).tolist() for one in SPACE.neighbours(start)]
    n_shown, style = NAMES.index("n_demonstrations"), NAMES.index("demonstration_style")

    assert len(differing) == sum(SPACE.sizes) - len(NAMES) - 1, "each other choice but of how no examples are shown"
    assert {tuple(one) for one in differing if len(one) > 1} == {tuple(sorted((n_shown, style)))}


def test_no_more_examples_are_offered_than_there_are() -> None:
    few = structures_of(space(), SEED, pool(3), (), np.random.default_rng(0))

    assert next(slot for slot in few.slots if slot.name == "n_demonstrations").choices == (0, 1, 2, 3)


def test_suggested_instructions_are_choices() -> None:
    more = structures_of(space(), SEED, pool(), ("Mine.", "Do it."), np.random.default_rng(0))

    assert next(slot for slot in more.slots if slot.name == "instruction").choices[-1] == "Mine."
    assert sum(more.sizes) == sum(SPACE.sizes) + 1, "the seed's own is there already"


@pytest.mark.parametrize("n", [1, 4, 8])
def test_of_many_examples_the_first_are_those_of_few(n: int) -> None:
    codes = SPACE.encode(SEED)
    codes[NAMES.index("n_demonstrations")] = SPACE.slots[NAMES.index("n_demonstrations")].choices.index(n)
    shown = SPACE.decode(codes).demonstrations

    assert shown == SPACE.shown[:n]
    assert len({one.answer for one in shown}) == min(n, 3), "as many answers as possible among them"


WIDE = structures_of(build_space(SEED, items(), 8, pool()), SEED, pool(), (), np.random.default_rng(0))


@given(st.tuples(*(st.integers(0, size - 1) for size in WIDE.sizes)))
def test_a_structure_whose_examples_the_question_chooses_is_one_program_and_back(raw: tuple[int, ...]) -> None:
    codes = WIDE.settle(np.array(raw))
    program = WIDE.decode(codes)

    assert WIDE.encode(program).tolist() == codes.tolist()
    assert program.n_nearest is None or program.demonstrations == pool()


def test_rows_of_other_slots_are_read_by_name() -> None:
    row = StructureRow(codes=(4, 5), task=1, block=0, mean=0.5, n_items=3)

    assert recode([row], ("a", "b"), ("b", "new", "a"))[0].codes == (5, NONE, 4)
