"""Functional ANOVA of a model of structures, where it can be worked out by hand."""

import numpy as np
import pytest

from neuroforge.contracts.prompt_worth import PairWorth, SlotWorth
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.attribution import attribute
from neuroforge.prompts.structure_model import fit_structure_model
from neuroforge.prompts.structure_state import StructureRow, rows_of
from tests.unit.prompts.searching import SEED, Truth, space, structures


def attributed(truth: Truth, n: int = 300) -> tuple[dict[str, SlotWorth], tuple[PairWorth, ...]]:
    """What random structures teach, each measured on very many items."""
    all_structures = structures()
    rows = [
        StructureRow(
            codes=tuple(codes.tolist()), task=0, block=0, mean=truth(all_structures.decode(codes)), n_items=10_000
        )
        for codes in all_structures.draw(n, np.random.default_rng(0))
    ]
    model = fit_structure_model(rows_of(rows, len(all_structures.slots)), all_structures.sizes)
    slots, pairs = attribute(model, all_structures, all_structures.encode(SEED), np.random.default_rng(1))
    return {one.slot: one for one in slots}, pairs


def xml_in_the_system_message(program: PromptProgram) -> float:
    values = space().read(program)
    return 0.3 + 0.4 * float(values["delimiter"] == "xml" and values["placement"] == "system")


def turns(program: PromptProgram) -> float:
    return 0.3 + 0.4 * float(bool(program.demonstrations) and program.style.demonstrations == "turns")


def test_a_product_of_two_slots_is_split_as_by_hand() -> None:
    """One of four delimiters times one of two placements, .4 together. Variances: delimiter .2^2 x 3/16 = .0075,
    placement .1^2 x 1/4 = .0025, together .4^2 x 3/16 x 1/4 = .0075: shares 3/7, 1/7, 3/7.

    All pairs have one variance, so that of the only one that matters is told too small."""
    slots, pairs = attributed(xml_in_the_system_message)

    assert slots["delimiter"].share.mean == pytest.approx(3 / 7, abs=0.06)
    assert slots["placement"].share.mean == pytest.approx(1 / 7, abs=0.06)
    assert set(pairs[0].slots) == {"delimiter", "placement"}
    assert 5 * pairs[1].share.mean < pairs[0].share.mean < 3 / 7


def test_a_gain_is_the_mean_over_all_other_slots() -> None:
    slots, _ = attributed(xml_in_the_system_message)
    xml = next(one for one in slots["delimiter"].choices if one.value == "xml")

    assert xml.effect.mean == pytest.approx(0.2, abs=0.02), ".4 in half of the structures"
    assert xml.effect.low <= 0.2 <= xml.effect.high
    assert [one.value for one in slots["delimiter"].choices if one.is_chosen] == ["blank"], "the seed's own"


def test_a_slot_counts_as_far_as_it_makes_a_difference() -> None:
    """How examples are shown is +-.2 in the 6 of 7 structures that show some: variance .04 x 6/7.

    That some are shown is .2 on average: variance .04 x 6/7 x 1/7. Shares 7/8 and 1/8."""
    slots, _ = attributed(turns)
    style, number = slots["demonstration_style"].share, slots["n_demonstrations"].share

    assert style.low <= 7 / 8 <= style.high
    assert style.mean == pytest.approx(7 / 8, abs=0.05)
    assert number.mean == pytest.approx(1 / 8, abs=0.05)


def test_where_nothing_matters_no_choice_gains() -> None:
    slots, _ = attributed(lambda _program: 0.5, n=60)

    assert all(abs(one.effect.mean) < 0.01 for slot in slots.values() for one in slot.choices)
