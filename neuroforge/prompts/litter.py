"""Elite -> the next generation: a surrogate picks who is asked next of many possible children and of those known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.prompts.credit import draw_operator
from neuroforge.prompts.evolution_state import FLEET_OPERATORS, EvolutionSettings, EvolutionState, Wish
from neuroforge.prompts.operators import OPERATORS, Breeding, breed
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.surrogate import Floats, Surrogate, traits_of

_NEW = "redesign"
"""The operator that looks elsewhere than where the elite is."""
_SHARE_OF_NEW = 0.5
"""Of the possible children, whatever the bandit says: at least as wide a search as a random one."""
_SHARE_OF_AGAIN = 0.4
"""Of a generation: known ones that are asked more items even where new ones may be better. One of them will win, and
they tell how hard the generation's items are."""
_N_PARENTS = 3
_POSSIBLE_A_CHILD, _MOST_POSSIBLE = 16, 320
"""Children that are made for each one that is tried: making them costs no call, but some time."""
_DRAWS_A_CHILD = 6
"""Draws often agree on who is best."""


class Child(NamedTuple):
    """A program that was not tried before."""

    program: PromptProgram
    operator: str
    parents: tuple[str, ...]


class Litter(NamedTuple):
    """A generation before its race: what is there, and what models shall write."""

    veterans: tuple[str, ...]
    """Ids of known ones that are to be asked more items."""
    children: tuple[Child, ...]
    wishes: tuple[Wish, ...]


@dataclass(frozen=True)
class Nursery:
    """Makes a generation of what the search knows."""

    settings: EvolutionSettings
    space: PromptSpace
    surrogate: Surrogate | None
    rng: np.random.Generator

    def breed(
        self, state: EvolutionState, known: Mapping[str, PromptCandidate], veterans: Sequence[str] = ()
    ) -> Litter:
        """Return at most as many together as the population has room for beside the elite.

        Args:
            veterans: Ids of candidates that may be asked the generation's items too.
        """
        n_wanted = max(1, self.settings.population - len(state.elite))
        wishes = self._wish(state, n_wanted)
        n_own = n_wanted - len(wishes)
        possible = self._make_children(state, known, max(n_own, min(_POSSIBLE_A_CHILD * n_own, _MOST_POSSIBLE)))
        if self.surrogate is None:
            return Litter((), possible[:n_own], wishes)
        programs = [*(known[one].program for one in veterans), *(one.program for one in possible)]
        draws = self._draw(self.surrogate, programs, n_own)
        n_again = min(len(veterans), int(_SHARE_OF_AGAIN * n_own))
        again = _first_bests(draws[:, : len(veterans)], n_again)
        picked = list(dict.fromkeys((*again, *_first_bests(draws, n_own))))[:n_own]
        return Litter(
            tuple(veterans[place] for place in picked if place < len(veterans)),
            tuple(possible[place - len(veterans)] for place in picked if place >= len(veterans)),
            wishes,
        )

    def _make_children(self, state: EvolutionState, known: Mapping[str, PromptCandidate], n: int) -> tuple[Child, ...]:
        """Return at most n different programs that are not known."""
        found: dict[str, Child] = {}
        elite = tuple(known[one].program for one in state.elite)
        breeding = Breeding(self.space, state.pool, self.settings.max_demonstrations, elite)
        for place in range(n):
            name = _NEW if place < _SHARE_OF_NEW * n else draw_operator(state.credits, list(OPERATORS), self.rng)
            parents = self._draw_parents(state.elite)
            program = breed(name, [known[one].program for one in parents], breeding, self.rng)
            if program is not None and (child_id := program_id(program)) not in known:
                found.setdefault(child_id, Child(program, name, parents))
        return tuple(found.values())

    def _wish(self, state: EvolutionState, n_wanted: int) -> tuple[Wish, ...]:
        """As many as the bandit gives to operators that ask a model."""
        if not self.settings.has_proposers:
            return ()
        names = [draw_operator(state.credits, [*OPERATORS, *FLEET_OPERATORS], self.rng) for _ in range(n_wanted)]
        drawn = [name for name in names if name in FLEET_OPERATORS]
        return tuple(
            Wish.model_validate(
                {"id": f"{state.generation}-{place}", "operator": name, "parents": self._draw_parents(state.elite)}
            )
            for place, name in enumerate(drawn)
        )

    def _draw(self, surrogate: Surrogate, programs: Sequence[PromptProgram], n_wanted: int) -> Floats:
        """Return (n_draws, n_programs) draws from the posterior: enough to find so many that are best in one."""
        traits = [traits_of(self.space, one) for one in programs]
        return surrogate.draw(traits, _DRAWS_A_CHILD * n_wanted, self.rng)

    def _draw_parents(self, elite: Collection[str]) -> tuple[str, ...]:
        """Distinct members of the elite, better ones first and more often (linear ranking)."""
        ranked = tuple(elite)
        weights = np.arange(len(ranked), 0, -1, dtype=float)
        n = min(_N_PARENTS, len(ranked))
        drawn = self.rng.choice(len(ranked), size=n, replace=False, p=weights / weights.sum())
        return tuple(ranked[int(index)] for index in drawn)


def _first_bests(draws: Floats, n: int) -> list[int]:
    """Return at most n places, each the best of a draw (Thompson sampling).

    What is likely good is asked most, what nobody knows now and then; children that are alike move together in a draw,
    so few of them are taken.
    """
    return list(dict.fromkeys(draws.argmax(axis=1).tolist()))[:n] if n else []
