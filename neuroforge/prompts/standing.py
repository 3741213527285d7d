"""Candidates and what was measured of them -> who is best, by what all measurements together let expect."""

from collections.abc import Iterable, Mapping, Sequence

from neuroforge.contracts.prompts import Evaluation, PromptCandidate
from neuroforge.prompts.race import Fitness, pareto_front, survivors
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.surrogate import Surrogate, Traits, fit_surrogate, traits_of

_MOST_VETERANS = 24
"""Known candidates that may be asked more items: those after them have little chance, and tests take time."""


class Standing:
    """A search's table. Grows only."""

    def __init__(
        self, space: PromptSpace, candidates: Iterable[PromptCandidate], evaluations: Iterable[Evaluation]
    ) -> None:
        """Enter all, in the order in which they were made."""
        self.known: dict[str, PromptCandidate] = {}
        self.fitness: dict[str, dict[str, float]] = {}
        """By id and item; items without a fitness are absent."""
        self._space = space
        self._seen: dict[str, set[int]] = {}
        self._traits: dict[str, Traits] = {}
        self._surrogate: tuple[Surrogate | None] | None = None
        """Of what was noted; None = not fitted since."""
        for candidate in candidates:
            self.enter(candidate)
        for evaluation in evaluations:
            self.note(evaluation)

    def enter(self, candidate: PromptCandidate) -> None:
        """Take in one that was not measured yet."""
        self._surrogate = None
        self.known[candidate.id], self.fitness[candidate.id], self._seen[candidate.id] = candidate, {}, set()
        self._traits[candidate.id] = traits_of(self._space, candidate.program)

    def note(self, evaluation: Evaluation) -> None:
        """Take in what a candidate got on a block."""
        self._surrogate = None
        measured = zip(evaluation.item_ids, evaluation.fitness, strict=True)
        self.fitness[evaluation.candidate_id].update({item: value for item, value in measured if value is not None})
        self._seen[evaluation.candidate_id].add(evaluation.block)

    def has_seen(self, candidate_id: str, block: int) -> bool:
        """Whether the candidate was evaluated on the block."""
        return block in self._seen[candidate_id]

    def unbeaten(self, ids: Sequence[str], n_wanted: int, alpha: float) -> tuple[str, ...]:
        """Return those whom fewer than `n_wanted` others beat by a paired test at `alpha`, the highest mean first."""
        return survivors({one: self.fitness[one] for one in ids}, n_wanted, alpha)

    def veterans(self, block: int, n_wanted: int, alpha: float) -> tuple[str, ...]:
        """Return of the best those that are unbeaten and have not seen the block."""
        unbeaten = self.unbeaten(self.best(_MOST_VETERANS), n_wanted, alpha)
        return tuple(one for one in unbeaten if not self.has_seen(one, block))

    def front(self, ids: Sequence[str], evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
        """Return those that no other beats in expected fitness, prompt tokens and latency at once."""
        points, expected = {}, self.expected(ids)
        for one in ids:
            told = [evaluation for evaluation in evaluations if evaluation.candidate_id == one]
            n_calls = max(1, sum(evaluation.n_calls for evaluation in told))
            n_tokens = sum(evaluation.n_prompt_tokens for evaluation in told) / n_calls
            latency_s = sum(evaluation.latency_s * evaluation.n_calls for evaluation in told) / n_calls
            points[one] = (-expected[one], n_tokens, latency_s)
        return pareto_front(points)

    def gain(self, one: str, other: str) -> float:
        """Return how much better the one is than the other, as all measurements let expect; 0 of too few."""
        expected = self.expected([one, other])
        return expected[one] - expected[other]

    def p_better(self, one: str, other: str, fresh: Mapping[str, Fitness]) -> float:
        """Return the probability that the one is better than the other; .5 where too little was measured to tell.

        By the task's own items: what is known from others says where to look, and is no evidence.

        Args:
            fresh: As of `ranked`.
        """
        surrogate = self._fit(self._with(fresh), is_informed=False)
        return 0.5 if surrogate is None else surrogate.p_better(self._traits[one], self._traits[other])

    def gains_over_parents(self, children: Sequence[str]) -> list[tuple[str, float]]:
        """Return operator and `gain` over the first parent of each of the children that were measured."""
        found = [self.known[one] for one in children if self.known[one].parents and self.fitness[one]]
        return [(one.operator, self.gain(one.id, one.parents[0])) for one in found]

    def best(self, n: int | None = None) -> tuple[str, ...]:
        """Return the first n of all that were measured, or all, best first."""
        return self.ranked([one for one in self.known if self.fitness[one]])[:n]

    def ranked(self, ids: Sequence[str], fresh: Mapping[str, Fitness] | None = None) -> tuple[str, ...]:
        """Return the ids, best first; of equal ones the earlier made.

        Args:
            fresh: Measurements that count beside those that were noted.
        """
        order = {one: place for place, one in enumerate(self.known)}
        expected = self.expected(ids, fresh)
        return tuple(sorted(expected, key=lambda one: (-expected[one], order[one])))

    def expected(self, ids: Sequence[str], fresh: Mapping[str, Fitness] | None = None) -> dict[str, float]:
        """Return fitness less a constant, by id; the same of all where too little was measured to tell them apart."""
        unique = list(dict.fromkeys(ids))
        surrogate = self.surrogate(fresh)
        if surrogate is None or not unique:
            return dict.fromkeys(unique, 0.0)
        return dict(zip(unique, surrogate.expect([self._traits[one] for one in unique]).tolist(), strict=True))

    def surrogate(self, fresh: Mapping[str, Fitness] | None = None) -> Surrogate | None:
        """Return what the measurements teach of any program; None while there are too few."""
        if fresh:
            return self._fit(self._with(fresh))
        if self._surrogate is None:
            self._surrogate = (self._fit(self.fitness),)
        return self._surrogate[0]

    def _with(self, fresh: Mapping[str, Fitness]) -> dict[str, Fitness]:
        return {one: {**fitness, **fresh.get(one, {})} for one, fitness in self.fitness.items()}

    def _fit(self, fitness_by_id: Mapping[str, Fitness], is_informed: bool = True) -> Surrogate | None:
        return fit_surrogate(list(self._traits.values()), fitness_by_id, is_informed)
