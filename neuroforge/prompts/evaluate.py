"""Candidate x block of items -> Evaluation; what is known already costs nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptProgram
from neuroforge.errors import NeuroForgeError, first_of
from neuroforge.prompts.ask import ItemAsker, ItemResult
from neuroforge.prompts.evolution_state import Trial
from neuroforge.prompts.results import ResultLog

T = TypeVar("T")
LONGEST_REASONING = 600
"""Characters of a model's own steps that are shown as an example: longer ones ramble, and cost prompt tokens."""


@dataclass
class Evaluator:
    """Evaluates programs on items; safe to use from many tasks of one event loop."""

    asker: ItemAsker
    items: Mapping[str, DatasetItem]
    log: ResultLog
    concurrency: int
    on_result: Callable[[ItemResult], None] = lambda _result: None

    def __post_init__(self) -> None:
        """Calls at once, over all trials."""
        self._slots = asyncio.Semaphore(self.concurrency)
        self._asking: dict[str, asyncio.Task[ItemResult]] = {}

    async def evaluate(self, trial: Trial) -> Evaluation:
        """Return what the candidate got on the block, in the items' order."""
        await self.results_of(trial.candidate.program, trial.item_ids)
        return self.recall(trial)

    async def results_of(self, program: PromptProgram, item_ids: Sequence[str]) -> tuple[ItemResult, ...]:
        """Return one result an item; asks only what is not in the log."""
        return await all_of([self._result(program, self.items[one]) for one in item_ids])

    def recall(self, trial: Trial) -> Evaluation:
        """Return what the log holds of a trial that was evaluated, wherever that was; failed calls included.

        Raises:
            NotFound: It holds no answer to one of its items.
        """
        program = trial.candidate.program
        items = [self.items[one] for one in trial.item_ids]
        bare_keys = dict.fromkeys(key for item in items if (key := self.asker.bare_key(program, item)) is not None)
        return summarise(
            trial,
            [self.log.last(self.asker.key(program, item)) for item in items],
            [self.log.last(key) for key in bare_keys],
        )

    def bootstrapped(self, trials: Sequence[Trial]) -> tuple[Demonstration, ...]:
        """Return the model's own right answers with their steps, as examples to show; in the order of the trials."""
        found = []
        for trial in trials:
            program = trial.candidate.program
            for item in (self.items[one] for one in trial.item_ids) if program.reasoning_cue else ():
                known = self.log.find(self.asker.key(program, item))
                steps = "" if known is None or known.score != 1.0 else (known.reply or "").strip()
                if known is not None and steps and len(steps) <= LONGEST_REASONING:
                    found.append(_shown(item, known, steps))
        return tuple(found)

    async def _result(self, program: PromptProgram, item: DatasetItem) -> ItemResult:
        bare = None
        if (bare_key := self.asker.bare_key(program, item)) is not None:
            bare = await self._once(bare_key, lambda: self.asker.ask_bare(program, item, bare_key))
        return await self._once(self.asker.key(program, item), lambda: self.asker.ask(program, item, bare))

    async def _once(self, key: str, ask: Callable[[], Awaitable[ItemResult]]) -> ItemResult:
        if (known := self.log.find(key)) is not None:
            return known
        # The same call may be wanted by two trials at once: programs that differ may render alike.
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(ask))
            task.add_done_callback(lambda _task: self._asking.pop(key, None))
        return await task

    async def _ask(self, ask: Callable[[], Awaitable[ItemResult]]) -> ItemResult:
        async with self._slots:
            result = await ask()
        self.log.add(result)
        self.on_result(result)
        return result


async def all_of(work: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Return all results, worked on at once. Raises NeuroForgeError: the first of ours, which ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except* NeuroForgeError as errors:
        raise first_of(errors) from None
    return tuple(task.result() for task in tasks)


def _shown(item: DatasetItem, known: ItemResult, steps: str) -> Demonstration:
    answer = known.answer or item.references[0]
    return Demonstration(
        question=item.query, answer=answer, reasoning=steps, item_id=item.id, group=item.group, is_bootstrapped=True
    )


def summarise(trial: Trial, results: Sequence[ItemResult], bare: Sequence[ItemResult] = ()) -> Evaluation:
    """Return the block's evaluation. Calls count as if made now, so that a budget means the same in every run.

    Args:
        bare: Of calls without a question, which calibrate the labels of the block's items.
    """
    answered = [one for one in results if not one.is_failed]
    made = (*results, *bare)
    return Evaluation(
        candidate_id=trial.candidate.id,
        block=trial.block,
        item_ids=tuple(one.item_id for one in results),
        scores=tuple(one.score for one in results),
        fitness=tuple(one.fitness for one in results),
        n_calls=sum(one.n_calls for one in made),
        n_prompt_tokens=sum(one.n_prompt_tokens for one in made),
        n_completion_tokens=sum(one.n_completion_tokens for one in made),
        cost_usd=sum(one.cost_usd for one in made),
        latency_s=sum(one.latency_s for one in answered) / len(answered) if answered else 0.0,
        errors=dict(Counter(one.reason or "not scored" for one in results if one.score is None)),
    )
