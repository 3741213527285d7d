"""The budget -> how many of the next trials it affords, when selection and test shall still be paid for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompts import Evaluation, PromptProgram
from neuroforge.prompts.evolution_state import Afforded, EvolutionState, Trial
from neuroforge.prompts.spend import FIRST_RATES, Estimator, Rates, Spent, spent_on, total

N_FINALISTS = 3
"""Of the elite, beside the seed, that the selection split decides between."""


@dataclass(frozen=True)
class Purse:
    """A budget that the whole run shares.

    Calls bound search and selection: the test comes on top, since methods are compared by what they ask to find a
    prompt. Tokens and money bound everything, other models' calls included; what is asked next counts with answers as
    long as they may be, what is kept for later with answers as long as they were.
    """

    budget: Budget
    estimator: Estimator
    seed: PromptProgram
    selection: tuple[str, ...]
    test: tuple[str, ...]
    beside: Callable[[], Spent] = Spent
    """What was spent on calls that measure nothing."""
    final: Callable[[PromptProgram], PromptProgram] = lambda program: program
    """A winner as the test puts it."""

    def afford(self, trials: Sequence[Trial], state: EvolutionState) -> Afforded:
        """See Affords."""
        if not state.evaluations and self._counts_tokens:
            return Afforded(1)  # the seed's first block, which was seen to fit; its answers tell what texts take
        programs = {one.id: one.program for one in state.candidates}
        rates = self._rates((programs[one.candidate_id], one) for one in state.evaluations)
        found = spent_on(state.evaluations)
        # Whoever was measured may come to the selection: later measurements change what earlier ones let expect.
        measured = (one.candidate_id for one in state.evaluations)
        rivals = {one: programs[one] for one in (*measured, *state.elite)}
        kept = self.reserve((*rivals.values(), *(one.candidate.program for one in trials)), rates)
        for place, trial in enumerate(trials):
            rivals[trial.candidate.id] = trial.candidate.program
            if self._counts_tokens:  # a longer one that comes later needs not be kept for
                kept = self.reserve(rivals.values(), rates)
            found = found.plus(
                self.estimator.estimate(trial.candidate.program, trial.item_ids, Rates(rates.per_byte, fill=1.0))
            )
            if limit := self.over(found, kept):
                return Afforded(place, limit)
        return Afforded(len(trials))

    def reserve(self, rivals: Iterable[PromptProgram], rates: Rates) -> tuple[Spent, Spent]:
        """Return what selection and test take, if these may win; of too few the costliest stands in."""
        estimate, seed = self._estimate, self.seed
        others = [one for one in rivals if one != seed]
        on_selection = sorted((estimate(one, self.selection, rates) for one in others or [seed]), key=_weight)
        on_test = max((self._on_test(one, rates) for one in others or [seed]), key=_weight)
        finalists = [*on_selection, *[on_selection[-1]] * N_FINALISTS][-N_FINALISTS:]
        return (
            total((estimate(seed, self.selection, rates), *finalists)),
            estimate(seed, self.test, rates).plus(on_test),
        )

    @property
    def _counts_tokens(self) -> bool:
        return self.budget.max_tokens is not None or self.budget.max_cost_usd is not None

    def _rates(self, told: Iterable[tuple[PromptProgram, Evaluation]]) -> Rates:
        return self.estimator.rates(told) if self._counts_tokens else FIRST_RATES

    def _estimate(self, program: PromptProgram, item_ids: Sequence[str], rates: Rates) -> Spent:
        """Texts are measured only where anything depends on it: that takes its time with many prompts."""
        if self._counts_tokens:
            return self.estimator.estimate(program, item_ids, rates)
        return Spent(self.estimator.count_calls(program, item_ids))

    def _on_test(self, program: PromptProgram, rates: Rates) -> Spent:
        return self._estimate(self.final(program) if self._counts_tokens else program, self.test, rates)

    def over(self, spent: Spent, kept: tuple[Spent, Spent]) -> str | None:
        """Return which limit `spent` and what must be kept pass together; None = none."""
        budget, (selection, test) = self.budget, kept
        whole = total((spent, selection, test, self.beside()))
        if budget.max_calls is not None and spent.n_calls + selection.n_calls > budget.max_calls:
            return "calls"
        if budget.max_tokens is not None and whole.n_tokens > budget.max_tokens:
            return "tokens"
        if budget.max_cost_usd is not None and whole.cost_usd > budget.max_cost_usd:
            return "money"
        return None


def _weight(one: Spent) -> tuple[int, int]:
    return one.n_tokens, one.n_calls
