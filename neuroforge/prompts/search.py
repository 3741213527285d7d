"""The engine's questions -> evaluator and proposer -> its answers, until the search is over; saved as it goes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from neuroforge.contracts.prompts import Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.evaluate import Evaluator, all_of
from neuroforge.prompts.evolution_state import EvolutionState, Trial, Wish
from neuroforge.prompts.evolve import PromptEvolutionEngine

SaveState = Callable[[EvolutionState], None]
"""Called after each step; must keep it whole or not at all."""


class Proposes(Protocol):
    """A model that writes prompts."""

    async def propose(self, wish: Wish, parents: tuple[PromptCandidate, ...]) -> PromptProgram | None:
        """None = it wrote nothing of use."""
        ...


class SearchDriver(Protocol):
    """Whoever takes a search to its end: `search` in this process, or Ray Tune on a cluster."""

    async def __call__(
        self, engine: PromptEvolutionEngine, evaluator: Evaluator, proposer: Proposes | None, save: SaveState
    ) -> PromptEvolutionEngine:
        """Return the engine when its search is over; also goes on from where a state was saved."""
        ...


async def search(
    engine: PromptEvolutionEngine, evaluator: Evaluator, proposer: Proposes | None, save: SaveState
) -> PromptEvolutionEngine:
    """Run the search to its end in this process. All trials of a step run at once."""
    while trials := await next_trials(engine, proposer, save):
        take_in(engine, evaluator, trials, await all_of([evaluator.evaluate(trial) for trial in trials]))
        save(engine.state)
    return engine


async def next_trials(engine: PromptEvolutionEngine, proposer: Proposes | None, save: SaveState) -> tuple[Trial, ...]:
    """Return all trials of the next step, after fulfilling the wishes that stand before it; none = it is over."""
    while (asked := engine.ask()).wishes:
        await _fulfil(engine, asked.wishes, proposer)
        save(engine.state)
    if not asked.trials:
        save(engine.state)
    return asked.trials


def take_in(
    engine: PromptEvolutionEngine, evaluator: Evaluator, trials: Sequence[Trial], evaluations: Sequence[Evaluation]
) -> None:
    """Tell the engine a whole step in the order in which it was asked, so that nothing depends on who came first."""
    for evaluation in evaluations:
        engine.tell(evaluation)
    engine.add_to_pool(evaluator.bootstrapped(trials))


async def _fulfil(engine: PromptEvolutionEngine, wishes: tuple[Wish, ...], proposer: Proposes | None) -> None:
    if proposer is None:
        for wish in wishes:
            engine.offer(wish.id, None)
        return
    written = await all_of(
        [proposer.propose(wish, tuple(engine.state.candidate(one) for one in wish.parents)) for wish in wishes]
    )
    for wish, program in zip(wishes, written, strict=True):
        engine.offer(wish.id, program)
