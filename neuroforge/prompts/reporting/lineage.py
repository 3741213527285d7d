"""The winner and all its ancestors -> a tree, each with what it changed and what it got in the search."""

from collections.abc import Iterator
from dataclasses import dataclass

from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.program import diff_programs


@dataclass(frozen=True)
class Ancestor:
    """One prompt in the tree."""

    depth: int
    """0 = the winner."""
    candidate: PromptCandidate
    fitness: float | None
    """Mean over the items of the search that it was asked."""
    n_items: int
    changes: tuple[str, ...]
    """Against its first parent."""
    is_told: bool
    """Its ancestors stand further up already."""


def build_lineage(state: EvolutionState, winner_id: str) -> tuple[Ancestor, ...]:
    """Return the tree, from the winner down, each prompt before its parents."""
    return tuple(_walk(state, _fitness(state), winner_id, 0, set()))


def _walk(
    state: EvolutionState, fitness: dict[str, list[float]], candidate_id: str, depth: int, told: set[str]
) -> Iterator[Ancestor]:
    candidate, got = state.candidate(candidate_id), fitness.get(candidate_id, [])
    parents = candidate.parents
    changes = diff_programs(state.candidate(parents[0]).program, candidate.program) if parents else ()
    is_told = candidate_id in told and bool(parents)
    yield Ancestor(depth, candidate, sum(got) / len(got) if got else None, len(got), changes, is_told)
    if not is_told:
        told.add(candidate_id)
        for parent in dict.fromkeys(parents):
            yield from _walk(state, fitness, parent, depth + 1, told)


def _fitness(state: EvolutionState) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in state.evaluations:
        found.setdefault(one.candidate_id, []).extend(value for value in one.fitness if value is not None)
    return found
