"""PromptEvolutionEngine: breed -> race over blocks of items -> credit operators -> survivors; ask and tell.

A race shows every candidate the same items in the same order. Steps are taken only when all that was asked has been
told, in the order of the candidates, so a run does not depend on which answer comes first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate, PromptProgram
from neuroforge.errors import DataError, NotFound
from neuroforge.prompts.credit import draw_operator, reward
from neuroforge.prompts.designs import first_designs
from neuroforge.prompts.evolution_state import (
    FLEET_OPERATORS,
    Asked,
    CallLimit,
    EvolutionSettings,
    EvolutionState,
    Milestone,
    Trial,
    Wish,
    rng_of,
    rng_state,
)
from neuroforge.prompts.operators import OPERATORS, Breeding, breed
from neuroforge.prompts.program import program_id
from neuroforge.prompts.race import estimate, mean_fitness, paired, pareto_front, survivors
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.spend import spent_on
from neuroforge.prompts.stop import why_over

Blocks = Sequence[tuple[str, ...]]
_N_PARENTS = 3
_TRIES_A_CHILD = 12


class PromptEvolutionEngine:
    """A search over programs. Plain Python: who evaluates, and where, is the driver's matter."""

    def __init__(self, settings: EvolutionSettings, space: PromptSpace, blocks: Blocks, state: EvolutionState) -> None:
        """Go on from a state; `begin` makes the first one.

        Args:
            blocks: Item ids of the search split in the order in which races see them.
        """
        self._settings = settings
        self._purse = settings.purse or CallLimit(settings.max_calls)
        self._space = space
        self._blocks = tuple(blocks)
        self._state = state
        self._known = {one.id: one for one in state.candidates}
        self._fitness: dict[str, dict[str, float]] = {one.id: {} for one in state.candidates}
        self._seen: dict[str, set[int]] = {one.id: set() for one in state.candidates}
        for evaluation in state.evaluations:
            self._note(evaluation)

    @classmethod
    def begin(
        cls,
        settings: EvolutionSettings,
        space: PromptSpace,
        blocks: Blocks,
        seed: PromptProgram,
        pool: Sequence[Demonstration],
        suggestions: Sequence[PromptProgram] = (),
    ) -> "PromptEvolutionEngine":
        """Return a search that has seen nothing yet.

        Args:
            pool: Examples that may be shown.
            suggestions: Programs to begin with beside the seed.
        Raises:
            DataError: No items to search on, or the budget does not take one candidate through one block.
        """
        if not blocks or not blocks[0]:
            raise DataError("there are no items to search on")
        if settings.max_calls is not None and settings.max_calls < len(blocks[0]) * seed.n_samples:
            raise DataError(
                f"a budget of {settings.max_calls} calls does not take one candidate through the first "
                f"{len(blocks[0])} items ({len(blocks[0]) * seed.n_samples} calls): raise it, or lower block_size"
            )
        rng = rng_of({}, settings.seed)
        programs = first_designs(seed, space, tuple(pool), settings, rng, suggestions)
        candidates = tuple(
            PromptCandidate(id=program_id(program), program=program, operator=name, parents=parents)
            for name, program, parents in programs
        )
        ids = tuple(one.id for one in candidates)
        state = EvolutionState(candidates=candidates, cohort=ids, children=ids, pool=tuple(pool), rng=rng_state(rng))
        return cls(settings, space, blocks, state)

    @property
    def state(self) -> EvolutionState:
        """Everything needed to go on later, as of the last answer."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do; `state.ended_because` says why."""
        return self._state.phase == "over"

    def ask(self) -> Asked:
        """Return all that is to be done before the next step; the same again until it is told."""
        while not self.is_over:
            if self._state.wishes:
                return Asked(wishes=self._state.wishes)
            if trials := self._open_trials():
                return Asked(trials=trials)
            self._step()
        return Asked()

    def tell(self, evaluation: Evaluation) -> None:
        """Take in what a trial came to; one that was told before changes nothing.

        Raises:
            NotFound: No such candidate.
        """
        if evaluation.candidate_id not in self._known:
            raise NotFound(f"no candidate {evaluation.candidate_id!r}")
        if evaluation.block in self._seen[evaluation.candidate_id]:
            return
        self._note(evaluation)
        self._change(
            evaluations=(*self._state.evaluations, evaluation), n_calls=self._state.n_calls + evaluation.n_calls
        )

    def offer(self, wish_id: str, program: PromptProgram | None) -> None:
        """Take in what a model wrote for a wish; None = nothing of use came. Twice changes nothing."""
        wish = next((one for one in self._state.wishes if one.id == wish_id), None)
        if wish is None:
            return
        self._change(wishes=tuple(one for one in self._state.wishes if one.id != wish_id))
        if program is not None:
            self._add_child(program, wish.operator, wish.parents)

    def add_to_pool(self, more: Sequence[Demonstration]) -> None:
        """Let operators show these too, from the next generation on; the first of each item that a model answered."""
        known = {_origin(one) for one in self._state.pool}
        fresh = {_origin(one): one for one in reversed(more) if _origin(one) not in known}
        if fresh:
            self._change(pool=(*self._state.pool, *reversed(fresh.values())))

    def ranking(self) -> tuple[PromptCandidate, ...]:
        """Return the elite, best first; before there is one, what has been measured."""
        ids = self._state.elite or self._ranked([one for one in self._known if self._fitness[one]])
        return tuple(self._known[one] for one in ids)

    def fitness_of(self, candidate_id: str) -> dict[str, float]:
        """Return what was measured, by item id."""
        return dict(self._fitness[candidate_id])

    def front(self) -> tuple[PromptCandidate, ...]:
        """Return those of the elite that no other beats in fitness, prompt tokens and latency at once."""
        points = {}
        for one in self._state.elite:
            told = [evaluation for evaluation in self._state.evaluations if evaluation.candidate_id == one]
            n_calls = max(1, sum(evaluation.n_calls for evaluation in told))
            n_tokens = sum(evaluation.n_prompt_tokens for evaluation in told) / n_calls
            latency_s = sum(evaluation.latency_s * evaluation.n_calls for evaluation in told) / n_calls
            points[one] = (-mean_fitness(self._fitness[one]), n_tokens, latency_s)
        return tuple(self._known[one] for one in pareto_front(points))

    def _open_trials(self) -> tuple[Trial, ...]:
        state = self._state
        trials = [
            Trial(self._known[one], state.block, self._blocks[state.block])
            for one in state.cohort
            if state.block not in self._seen[one]
        ]
        if not trials:
            return ()
        afforded = self._purse.afford(trials, state)
        if not afforded.n_trials:
            self.end(f"the budget of {afforded.limit} is used up")
        return tuple(trials[: afforded.n_trials])

    def _step(self) -> None:
        match self._state.phase:
            case "racing":
                self._race_on()
            case "deepening":
                self._change(phase="breeding", depth=self._state.depth + 1, elite=self._ranked(self._state.elite))
            case "breeding":
                self._breed()

    def _race_on(self) -> None:
        """After a block: drop who is beaten; after the last that the elite has seen, end the generation."""
        state = self._state
        rivals = {one: self._fitness[one] for one in (*state.elite, *state.cohort)}
        going = set(survivors(rivals, self._settings.n_survivors, self._settings.alpha))
        cohort = tuple(one for one in state.cohort if one in going)
        if cohort and state.block + 1 < state.depth:
            self._change(cohort=cohort, block=state.block + 1)
            return
        ranked = self._ranked((*state.elite, *cohort))
        elite = ranked[: self._settings.n_survivors]
        is_same = bool(state.elite) and elite[0] == state.elite[0]
        self._change(
            elite=elite,
            cohort=(),
            credits=reward(state.credits, self._gains_of_children()),
            n_stalled=state.n_stalled + 1 if is_same else 0,
            history=(*state.history, self._milestone(elite[0])),
        )
        self._end_generation()

    def _end_generation(self) -> None:
        state = self._state
        if (why := why_over(state, self._settings)) is not None:
            self.end(why)
        elif state.depth < len(self._blocks):
            self._change(phase="deepening", cohort=state.elite, block=state.depth)
        else:
            self._change(phase="breeding")

    def _milestone(self, best: str) -> Milestone:
        state = self._state
        spent = spent_on(state.evaluations)
        rng = np.random.default_rng(self._settings.seed)
        return Milestone(
            generation=state.generation,
            best=best,
            fitness=estimate(list(self._fitness[best].values()), rng),
            gain=max(0.0, self._gain(best, state.elite[0])) if state.elite else 0.0,
            n_calls=spent.n_calls,
            n_tokens=spent.n_tokens,
            cost_usd=spent.cost_usd,
        )

    def _breed(self) -> None:
        state = self._state
        rng = rng_of(state.rng, self._settings.seed)
        self._change(children=(), cohort=(), generation=state.generation + 1, block=0)
        allowed = [*OPERATORS, *(FLEET_OPERATORS if self._settings.has_proposers else ())]
        wishes: list[Wish] = []
        n_wanted = max(1, self._settings.population - len(state.elite))
        for _ in range(n_wanted * _TRIES_A_CHILD):
            if len(self._state.children) + len(wishes) >= n_wanted:
                break
            name = draw_operator(state.credits, allowed, rng)
            parents = self._draw_parents(rng)
            if name in FLEET_OPERATORS:
                wish = {"id": f"{state.generation + 1}-{len(wishes)}", "operator": name, "parents": parents}
                wishes.append(Wish.model_validate(wish))
            elif (child := breed(name, self._programs(parents), self._breeding(), rng)) is not None:
                self._add_child(child, name, parents)
        self._change(rng=rng_state(rng), wishes=tuple(wishes), phase="racing")
        if not wishes and not self._state.children:
            self.end("the operators have nothing new to offer")

    def _draw_parents(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Distinct members of the elite, better ones first and more often (linear ranking)."""
        elite = self._state.elite
        weights = np.arange(len(elite), 0, -1, dtype=float)
        n = min(_N_PARENTS, len(elite))
        drawn = rng.choice(len(elite), size=n, replace=False, p=weights / weights.sum())
        return tuple(elite[int(index)] for index in drawn)

    def _breeding(self) -> Breeding:
        return Breeding(
            self._space, self._state.pool, self._settings.max_demonstrations, self._programs(self._state.elite)
        )

    def _add_child(self, program: PromptProgram, operator: str, parents: tuple[str, ...]) -> None:
        child_id = program_id(program)
        if child_id in self._known:
            return
        child = PromptCandidate(
            id=child_id, program=program, operator=operator, parents=parents, generation=self._state.generation
        )
        self._known[child_id], self._fitness[child_id], self._seen[child_id] = child, {}, set()
        self._change(
            candidates=(*self._state.candidates, child),
            children=(*self._state.children, child_id),
            cohort=(*self._state.cohort, child_id),
        )

    def _gains_of_children(self) -> list[tuple[str, float]]:
        found = []
        for one in self._state.children:
            child = self._known[one]
            if child.parents and self._fitness[one]:
                found.append((child.operator, self._gain(one, child.parents[0])))
        return found

    def _gain(self, one: str, other: str) -> float:
        differences = paired(self._fitness[one], self._fitness[other])
        return float(differences.mean()) if len(differences) else 0.0

    def _ranked(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Best first, on the items that all have seen; of equal ones the earlier made."""
        order = {one: place for place, one in enumerate(self._known)}
        common = set.intersection(*(set(self._fitness[one]) for one in ids)) if ids else set()
        means = {
            one: mean_fitness({item: value for item, value in self._fitness[one].items() if item in common})
            for one in ids
        }
        return tuple(sorted(dict.fromkeys(ids), key=lambda one: (-means[one], order[one])))

    def _programs(self, ids: Sequence[str]) -> tuple[PromptProgram, ...]:
        return tuple(self._known[one].program for one in ids)

    def _note(self, evaluation: Evaluation) -> None:
        measured = zip(evaluation.item_ids, evaluation.fitness, strict=True)
        self._fitness[evaluation.candidate_id].update({item: value for item, value in measured if value is not None})
        self._seen[evaluation.candidate_id].add(evaluation.block)

    def end(self, why: str) -> None:
        """Ask for nothing more; what was told decides who is best."""
        state = self._state
        elite = state.elite or self._ranked([one for one in self._known if self._fitness[one]])
        self._change(phase="over", cohort=(), wishes=(), elite=elite, ended_because=why)

    def _change(self, **changes: Any) -> None:
        # Built from parts that are contracts already: validating thousands of candidates anew each step would cost.
        self._state = EvolutionState.model_construct(**{**dict(self._state), **changes})


def _origin(one: Demonstration) -> tuple[str | None, str, bool]:
    return one.item_id, one.question, one.is_bootstrapped
