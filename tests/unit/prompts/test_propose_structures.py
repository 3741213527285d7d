"""Which structures are tried next."""

import numpy as np
import pytest

from neuroforge.prompts.propose_structures import (
    STRATEGIES,
    Tried,
    best_of_each,
    climb,
    offer_by_evolution,
    offer_by_tpe,
    propose,
)
from neuroforge.prompts.structure_model import NONE, StructureModel, fit_structure_model
from neuroforge.prompts.structure_state import StructureRow, StructureStrategy, rows_of
from tests.unit.prompts.searching import quality, structures

SPACE = structures()
CUE = next(place for place, slot in enumerate(SPACE.slots) if slot.name == "reasoning_cue")


def tried(n: int = 40, seed: int = 0) -> Tried:
    codes = SPACE.draw(n, np.random.default_rng(seed))
    return Tried(codes, np.array([quality(SPACE.decode(one)) for one in codes]))


def model_of(of: Tried) -> StructureModel:
    rows = [
        StructureRow(codes=tuple(codes), task=0, block=0, mean=value, n_items=200)
        for codes, value in zip(of.codes.tolist(), of.values.tolist(), strict=True)
    ]
    return fit_structure_model(rows_of(rows, len(SPACE.slots)), SPACE.sizes)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_offers_are_structures_and_repeat_with_the_seed(strategy: StructureStrategy) -> None:
    found = [[tuple(codes.tolist()) for codes, _ in STRATEGIES[strategy](tried(), SPACE, 5, rng)] for rng in rngs(2)]

    assert found[0] == found[1]
    assert len(found[0]) == 5
    assert all(SPACE.settle(np.array(one)).tolist() == list(one) for one in found[0])


def test_tpe_offers_more_of_what_did_well() -> None:
    best = [int(codes[CUE]) == 1 for codes, _ in offer_by_tpe(tried(), SPACE, 40, np.random.default_rng(1))]

    assert sum(best) / len(best) > 0.4, "a quarter of random structures have it"


def test_tpe_does_not_ask_what_makes_no_difference() -> None:
    names = [slot.name for slot in SPACE.slots]
    offers = [codes for codes, _ in offer_by_tpe(tried(5), SPACE, 40, np.random.default_rng(1))]
    is_shown = [codes[names.index("n_demonstrations")] > 0 for codes in offers]

    assert {True, False} <= set(is_shown)
    assert is_shown == [codes[names.index("demonstration_style")] != NONE for codes in offers]


def test_evolution_changes_one_slot_of_a_young_structure() -> None:
    of = tried(60)

    for codes, parent in offer_by_evolution(of, SPACE, 20, np.random.default_rng(3)):
        assert parent is not None
        assert parent >= 60 - 24
        changed = np.flatnonzero(codes != of.codes[parent]).tolist()
        names = {SPACE.slots[place].name for place in changed}
        assert len(changed) == 1 or names == {"n_demonstrations", "demonstration_style"}


def test_nothing_is_proposed_twice_and_the_favourite_comes_first() -> None:
    of = tried()
    found = propose("regularized_evolution", model_of(of), of, SPACE, 8, np.random.default_rng(5))
    keys = [tuple(one.codes.tolist()) for one in found]

    assert found[0].operator == "surrogate"
    assert quality(SPACE.decode(found[0].codes)) == pytest.approx(0.8), "the best there is"
    assert len(keys) == len(set(keys)) == 8
    assert not set(keys) & {tuple(one) for one in of.codes.tolist()}


def test_a_climb_ends_where_no_single_change_is_better() -> None:
    of = tried()
    model = model_of(of)
    top = climb(model, SPACE, of.codes[0])

    assert model.mean(SPACE.neighbours(top)).max() <= model.mean(top[None, :])[0]


def test_each_draw_takes_the_best_that_is_left() -> None:
    drawn = np.array([[1.0, 3.0, 2.0], [0.0, 9.0, 1.0], [0.0, 1.0, 2.0], [5.0, 5.0, 5.0]])

    assert best_of_each(drawn) == [1, 2, 0]


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(7) for _ in range(n)]
