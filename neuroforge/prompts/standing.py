"""Candidates and what was measured of them -> who is best, by what all measurements together let expect."""

from collections.abc import Iterable, Mapping, Sequence

from neuroforge.contracts.prompts import Evaluation, PromptCandidate
from neuroforge.prompts.race import Fitness, paired
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.surrogate import Surrogate, Traits, fit_surrogate, traits_of


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
        for candidate in candidates:
            self.enter(candidate)
        for evaluation in evaluations:
            self.note(evaluation)

    def enter(self, candidate: PromptCandidate) -> None:
        """Take in one that was not measured yet."""
        self.known[candidate.id], self.fitness[candidate.id], self._seen[candidate.id] = candidate, {}, set()
        self._traits[candidate.id] = traits_of(self._space, candidate.program)

    def note(self, evaluation: Evaluation) -> None:
        """Take in what a candidate got on a block."""
        measured = zip(evaluation.item_ids, evaluation.fitness, strict=True)
        self.fitness[evaluation.candidate_id].update({item: value for item, value in measured if value is not None})
        self._seen[evaluation.candidate_id].add(evaluation.block)

    def has_seen(self, candidate_id: str, block: int) -> bool:
        """Whether the candidate was evaluated on the block."""
        return block in self._seen[candidate_id]

    def gain(self, one: str, other: str) -> float:
        """Return the mean difference of two candidates on the items that both saw; 0 without any."""
        differences = paired(self.fitness[one], self.fitness[other])
        return float(differences.mean()) if len(differences) else 0.0

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
        more = fresh or {}
        together = {one: {**fitness, **more.get(one, {})} for one, fitness in self.fitness.items()}
        return fit_surrogate(list(self._traits.values()), together)
