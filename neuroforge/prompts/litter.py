"""Elite -> the next generation: many possible children by drawn operators; a surrogate picks the few that are tried."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.prompts.credit import draw_operator
from neuroforge.prompts.evolution_state import FLEET_OPERATORS, EvolutionSettings, EvolutionState, Wish
from neuroforge.prompts.operators import OPERATORS, Breeding, breed
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.surrogate import Surrogate, traits_of

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

    children: tuple[Child, ...]
    wishes: tuple[Wish, ...]


@dataclass(frozen=True)
class Nursery:
    """Makes a generation of what the search knows."""

    settings: EvolutionSettings
    space: PromptSpace
    surrogate: Surrogate | None
    rng: np.random.Generator

    def breed(self, state: EvolutionState, known: Mapping[str, PromptCandidate]) -> Litter:
        """Return at most as many children and wishes together as the population has room for beside the elite."""
        n_wanted = max(1, self.settings.population - len(state.elite))
        wishes = self._wish(state, n_wanted)
        n_own = n_wanted - len(wishes)
        n_possible = max(n_own, min(_POSSIBLE_A_CHILD * n_own, _MOST_POSSIBLE))
        possible: dict[str, Child] = {}
        elite = tuple(known[one].program for one in state.elite)
        breeding = Breeding(self.space, state.pool, self.settings.max_demonstrations, elite)
        for _ in range(n_possible):
            name = draw_operator(state.credits, list(OPERATORS), self.rng)
            parents = self._draw_parents(state.elite)
            program = breed(name, [known[one].program for one in parents], breeding, self.rng)
            if program is not None and (child_id := program_id(program)) not in known:
                possible.setdefault(child_id, Child(program, name, parents))
        return Litter(self._pick(tuple(possible.values()), n_own), wishes)

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

    def _pick(self, possible: tuple[Child, ...], n_wanted: int) -> tuple[Child, ...]:
        """Each the best of a draw from the posterior (Thompson sampling).

        What is likely good is tried most, what nobody knows now and then; children that are alike move together in a
        draw, so few of them are taken.
        """
        if self.surrogate is None or len(possible) <= n_wanted:
            return possible[:n_wanted]
        traits = [traits_of(self.space, one.program) for one in possible]
        draws = self.surrogate.draw(traits, _DRAWS_A_CHILD * n_wanted, self.rng)
        return tuple(possible[place] for place in list(dict.fromkeys(draws.argmax(axis=1).tolist()))[:n_wanted])

    def _draw_parents(self, elite: Collection[str]) -> tuple[str, ...]:
        """Distinct members of the elite, better ones first and more often (linear ranking)."""
        ranked = tuple(elite)
        weights = np.arange(len(ranked), 0, -1, dtype=float)
        n = min(_N_PARENTS, len(ranked))
        drawn = self.rng.choice(len(ranked), size=n, replace=False, p=weights / weights.sum())
        return tuple(ranked[int(index)] for index in drawn)
