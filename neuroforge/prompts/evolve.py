"""PromptEvolutionEngine: breed -> ask new and known ones a block of items -> credit operators -> elite; ask and tell.

All candidates of a generation see the same items, the next generation others. Steps are taken only when all that was
asked has been told, in the order of the candidates, so a run does not depend on which answer comes first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate, PromptProgram
from neuroforge.errors import NotFound
from neuroforge.prompts.credit import reward
from neuroforge.prompts.designs import first_designs
from neuroforge.prompts.evolution_state import (
    Asked,
    CallLimit,
    EvolutionSettings,
    EvolutionState,
    Trial,
    check_start,
    rng_of,
    rng_state,
)
from neuroforge.prompts.litter import Child, Nursery
from neuroforge.prompts.program import program_id
from neuroforge.prompts.race import Fitness
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.standing import Standing
from neuroforge.prompts.stop import milestone_of, why_over

Blocks = Sequence[tuple[str, ...]]
_HALVES = 2
"""A block leaves at most so many-th of who came into it, even where no test tells them apart (successive halving)."""


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
        self._standing = Standing(space, state.candidates, state.evaluations)

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
        check_start(settings, blocks, seed)
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
        if evaluation.candidate_id not in self._standing.known:
            raise NotFound(f"no candidate {evaluation.candidate_id!r}")
        if self._standing.has_seen(evaluation.candidate_id, evaluation.block):
            return
        self._standing.note(evaluation)
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
            self._add_child(Child(program, wish.operator, wish.parents))

    def add_to_pool(self, more: Sequence[Demonstration]) -> None:
        """Let operators show these too, from the next generation on; the first of each item that a model answered."""
        known = {_origin(one) for one in self._state.pool}
        fresh = {_origin(one): one for one in reversed(more) if _origin(one) not in known}
        if fresh:
            self._change(pool=(*self._state.pool, *reversed(fresh.values())))

    def ranking(self) -> tuple[PromptCandidate, ...]:
        """Return the elite, best first; before there is one, what has been measured."""
        return tuple(self._standing.known[one] for one in self._state.elite or self._standing.best())

    def is_likely_better(self, one: str, other: str, fresh: Mapping[str, Fitness], least: float) -> bool:
        """Return whether one is better than the other with a probability of at least `least`, by all measurements."""
        return self._standing.p_better(one, other, fresh) >= least

    def rank(self, fresh: Mapping[str, Fitness]) -> tuple[str, ...]:
        """Return the ids of those that were measured on more items, best first by old and new measurements together."""
        return self._standing.ranked(tuple(fresh), fresh)

    def fitness_of(self, candidate_id: str) -> dict[str, float]:
        """Return what was measured, by item id."""
        return dict(self._standing.fitness[candidate_id])

    def front(self) -> tuple[PromptCandidate, ...]:
        """Return those of the elite that no other beats in expected fitness, prompt tokens and latency at once."""
        best = self._standing.front(self._state.elite, self._state.evaluations)
        return tuple(self._standing.known[one] for one in best)

    def _open_trials(self) -> tuple[Trial, ...]:
        state = self._state
        trials = [
            Trial(self._standing.known[one], state.block, self._blocks[state.block])
            for one in state.cohort
            if not self._standing.has_seen(one, state.block)
        ]
        limit = None
        for place in range(len(trials)):  # who is too dear for what is left is passed over: a cheaper one may fit
            afforded = self._purse.afford(trials[place:], state)
            if afforded.n_trials:
                self._leave_out(trials[:place])
                return tuple(trials[place : place + afforded.n_trials])
            limit = afforded.limit
        if limit is not None:
            self._leave_out(trials)
            seed = Trial(state.candidates[0], state.block, self._blocks[state.block])
            if not self._state.cohort or not self._purse.afford([seed], state).n_trials:
                self.end(f"the budget of {limit} is used up")
        return ()

    def _leave_out(self, trials: Sequence[Trial]) -> None:
        """Of the race."""
        ids = {one.candidate.id for one in trials}
        self._change(cohort=tuple(one for one in self._state.cohort if one not in ids))

    def _step(self) -> None:
        match self._state.phase:
            case "racing":
                self._race_on()
            case "breeding":
                self._breed()

    def _race_on(self) -> None:
        """After a block: the better half of the unbeaten goes on; after the race's last all end."""
        state = self._state
        if state.block + 1 < state.depth and (cohort := self._better_half()):
            self._change(cohort=cohort, block=state.block + 1)
            return
        elite = self._standing.best(self._settings.n_survivors)
        is_same = bool(state.elite) and elite[0] == state.elite[0]
        self._change(
            elite=elite,
            cohort=(),
            credits=reward(state.credits, self._standing.gains_over_parents(state.children)),
            n_stalled=state.n_stalled + 1 if is_same else 0,
            history=(*state.history, milestone_of(state, self._standing, elite[0], self._settings.seed)),
        )
        self._end_generation()

    def _end_generation(self) -> None:
        state = self._state
        if (why := why_over(state, self._settings)) is not None:
            self.end(why)
        else:
            self._change(phase="breeding")

    def _better_half(self) -> tuple[str, ...]:
        state = self._state
        rivals = (*state.elite, *state.cohort)
        unbeaten = set(self._standing.unbeaten(rivals, self._settings.n_survivors, self._settings.alpha))
        n_most = -(-len(state.cohort) // _HALVES)
        return self._standing.ranked([one for one in state.cohort if one in unbeaten])[:n_most]

    def _breed(self) -> None:
        state = self._state
        rng = rng_of(state.rng, self._settings.seed)
        # Another block each time: else whoever is lucky on the first one's items is found, and nothing else.
        generation = state.generation + 1
        block = generation % len(self._blocks)
        veterans = self._standing.veterans(block, self._settings.n_survivors, self._settings.alpha)
        nursery = Nursery(self._settings, self._space, self._standing.surrogate(), rng)
        litter = nursery.breed(state, self._standing.known, veterans)
        self._change(children=(), cohort=litter.veterans, generation=generation, block=block, depth=1)
        for child in litter.children:
            self._add_child(child)
        self._change(rng=rng_state(rng), wishes=litter.wishes, phase="racing")
        if not litter.wishes and not self._state.cohort:
            self.end("the operators have nothing new to offer")

    def _add_child(self, child: Child) -> None:
        child_id = program_id(child.program)
        if child_id in self._standing.known:
            return
        made = PromptCandidate(
            id=child_id,
            program=child.program,
            operator=child.operator,
            parents=child.parents,
            generation=self._state.generation,
        )
        self._standing.enter(made)
        self._change(
            candidates=(*self._state.candidates, made),
            children=(*self._state.children, child_id),
            cohort=(*self._state.cohort, child_id),
        )

    def end(self, why: str) -> None:
        """Ask for nothing more; what was told decides who is best."""
        elite = self._standing.best(self._settings.n_survivors)
        self._change(phase="over", cohort=(), wishes=(), elite=elite, ended_because=why)

    def _change(self, **changes: Any) -> None:
        # Built from parts that are contracts already: validating thousands of candidates anew each step would cost.
        self._state = type(self._state).model_construct(**{**dict(self._state), **changes})


def _origin(one: Demonstration) -> tuple[str | None, str, bool]:
    return one.item_id, one.question, one.is_bootstrapped
