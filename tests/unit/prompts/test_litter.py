"""How the next generation comes about."""

from typing import Any

import numpy as np

from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.litter import Litter, Nursery
from neuroforge.prompts.program import program_id
from neuroforge.prompts.surrogate import Surrogate, fit_surrogate, traits_of
from tests.unit.prompts.searching import BEST_CUE, SEED, pool, space

CUED = PromptProgram(instruction="Do it.", reasoning_cue=BEST_CUE)
ROLED = PromptProgram(instruction="Do it.", role="You are an expert.")
BOTH = PromptProgram(instruction="Do it.", role="You are an expert.", reasoning_cue=BEST_CUE)


def candidates(*programs: PromptProgram) -> dict[str, PromptCandidate]:
    return {program_id(one): PromptCandidate(id=program_id(one), program=one, operator="seed") for one in programs}


def litter(surrogate: Surrogate | None = None, seed: int = 0, **settings: Any) -> Litter:
    known = candidates(SEED, CUED, ROLED, BOTH)
    state = EvolutionState(generation=1, candidates=tuple(known.values()), elite=tuple(known)[:2], pool=pool())
    nursery = Nursery(EvolutionSettings(**settings), space(), surrogate, np.random.default_rng(seed))
    return nursery.breed(state, known)


def believes_in_cues() -> Surrogate:
    known = [traits_of(space(), one) for one in (SEED, CUED, ROLED, BOTH)]
    levels = (0.2, 0.8, 0.2, 0.8)
    found = fit_surrogate(
        known, {one.id: {f"i{k}": level for k in range(20)} for one, level in zip(known, levels, strict=True)}
    )
    assert found is not None
    return found


def test_the_population_is_filled_up_with_programs_that_are_new_and_differ() -> None:
    found = litter(population=10)

    ids = {program_id(one.program) for one in found.children}
    assert len(found.children) == len(ids) == 8
    assert not ids & set(candidates(SEED, CUED, ROLED, BOTH))
    assert found.wishes == ()


def share_of_cues(surrogate: Surrogate | None) -> float:
    children = [one for seed in range(5) for one in litter(surrogate, seed).children]
    return sum(one.program.reasoning_cue == BEST_CUE for one in children) / len(children)


def test_what_the_surrogate_believes_in_is_tried_first() -> None:
    assert share_of_cues(believes_in_cues()) > share_of_cues(None) + 0.2


def test_models_are_wished_for_only_where_some_can_write() -> None:
    found = [litter(seed=seed, has_proposers=True, population=12) for seed in range(5)]

    assert any(one.wishes for one in found)
    assert all(len(one.children) + len(one.wishes) <= 10 for one in found)
    assert all(wish.id.startswith("1-") for one in found for wish in one.wishes)


def test_known_ones_are_asked_more_beside_the_new_but_few_of_those_that_are_not_expected_to_win() -> None:
    known = candidates(SEED, CUED, ROLED, BOTH)
    state = EvolutionState(generation=1, candidates=tuple(known.values()), elite=tuple(known)[:2], pool=pool())
    nursery = Nursery(EvolutionSettings(population=10), space(), believes_in_cues(), np.random.default_rng(0))

    found = nursery.breed(state, known, tuple(known))

    assert len(found.veterans) >= 2
    assert set(found.veterans) <= {program_id(CUED), program_id(BOTH)}
    assert len(found.children) + len(found.veterans) == 8
