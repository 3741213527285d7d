"""The engine's questions -> evaluator and proposer -> its answers, until the search is over; saved as it goes."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from neuroforge.contracts.prompts import Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionState, Trial, Wish
from neuroforge.prompts.evolve import PromptEvolutionEngine

SaveState = Callable[[EvolutionState], None]
"""Called after each step; must keep it whole or not at all."""


class EvaluatesTrials(Protocol):
    """Whoever runs trials: in this process, or on the cluster."""

    async def evaluate(self, trial: Trial) -> Evaluation:
        """What the candidate got on the block."""
        ...


class Proposes(Protocol):
    """A model that writes prompts."""

    async def propose(self, wish: Wish, parents: tuple[PromptCandidate, ...]) -> PromptProgram | None:
        """None = it wrote nothing of use."""
        ...


async def search(
    engine: PromptEvolutionEngine, evaluator: EvaluatesTrials, proposer: Proposes | None, save: SaveState
) -> PromptEvolutionEngine:
    """Run the search to its end, or on from where its state was saved; returns the engine.

    All trials of a step run at once; their answers are told in the order in which they were asked, so that the state
    that is saved does not depend on which comes first.
    """
    while True:
        asked = engine.ask()
        if asked.wishes:
            await _fulfil(engine, asked.wishes, proposer)
        elif asked.trials:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(evaluator.evaluate(trial)) for trial in asked.trials]
            for task in tasks:
                engine.tell(task.result())
        else:
            save(engine.state)
            return engine
        save(engine.state)


async def _fulfil(engine: PromptEvolutionEngine, wishes: tuple[Wish, ...], proposer: Proposes | None) -> None:
    if proposer is None:
        for wish in wishes:
            engine.offer(wish.id, None)
        return
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(proposer.propose(wish, tuple(engine.state.candidate(one) for one in wish.parents)))
            for wish in wishes
        ]
    for wish, task in zip(wishes, tasks, strict=True):
        engine.offer(wish.id, task.result())
