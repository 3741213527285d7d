"""A limit of time for a whole run: what is known already costs none, what would have to be asked later is not asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompt_progress import OptimizePhase
from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.prompts.analyse import analyse_by_rules
from neuroforge.prompts.ask import Models, TargetModels
from neuroforge.prompts.attempts import Attempts
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.improve import NotingModels
from neuroforge.prompts.prepare import Prepared, seed_of
from neuroforge.prompts.promote import Verdict
from neuroforge.prompts.prove import prove_winner, select_winner
from neuroforge.prompts.space import kind_of
from neuroforge.prompts.stopwatch import Stopwatch
from neuroforge.prompts.suggest import Suggestions, suggest


@dataclass(frozen=True)
class Deadline:
    """When a run's time is up, over all its starts."""

    limit_s: float | None
    """None = it may take as long as it takes."""
    watch: Stopwatch

    @property
    def left_s(self) -> float | None:
        """Until then; 0 once it is past."""
        return None if self.limit_s is None else max(0.0, self.limit_s - self.watch.elapsed_s)


@dataclass(frozen=True)
class ModelsInTime:
    """`Models` whose calls end with the run's time. Raises TimeoutError, which is no error of a call."""

    client: Models
    deadline: Deadline

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """See Models."""
        async with asyncio.timeout(self.deadline.left_s):
            return await self.client.chat(messages, model, **options)

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """See Models."""
        async with asyncio.timeout(self.deadline.left_s):
            return await self.client.label_logprobs(prompt, labels, model)


@dataclass(frozen=True)
class TargetsInTime(ModelsInTime):
    """As ModelsInTime, of models that programs are for."""

    client: TargetModels

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        """See TargetModels."""
        async with asyncio.timeout(self.deadline.left_s):
            return await self.client.completion(prompt, model, **options)


@dataclass(frozen=True)
class NotingInTime(ModelsInTime):
    """As ModelsInTime, of models that keep who wrote what."""

    client: NotingModels

    def note_written(self, model_id: str, task: str, place: int) -> None:
        """See NotingModels."""
        self.client.note_written(model_id, task, place)


async def suggest_in_time(
    config: OptimizeConfig, prepared: Prepared | None, beside: NotingModels, others: Sequence[str], deadline: Deadline
) -> Suggestions:
    """As `suggest`; when the time is up, what rules say."""
    seed, items = seed_of(config), () if prepared is None else tuple(prepared.by_id.values())
    try:
        found = await suggest(config, seed, items, NotingInTime(beside, deadline), others)
    except* TimeoutError:
        told = "the time was up before models had said what they think of the seed: only rules did"
        found = Suggestions(analyse_by_rules(seed, kind_of(items)), config.proposers or (), (), (told,))
    return found


@dataclass(frozen=True)
class Proving:
    """The end of a run: the winner is chosen and proven, as far as the time goes."""

    config: OptimizeConfig
    prepared: Prepared
    attempts: Attempts
    """Tests so far: one that time cuts short counts as well."""
    deadline: Deadline

    async def prove(
        self, engine: PromptEvolutionEngine, evaluator: Evaluator, enter: Callable[[OptimizePhase], None]
    ) -> tuple[PromptCandidate, Verdict]:
        """Return the winner, and what fresh items say; of a test that was not finished in time they say nothing.

        Args:
            enter: Told of each stage when it begins.
        """
        winner = None
        asker = evaluator.asker
        limited = replace(evaluator, asker=replace(asker, client=TargetsInTime(asker.client, self.deadline)))
        try:
            enter("selecting")
            winner = await select_winner(engine, limited, self.prepared)
            enter("testing")
            verdict = await prove_winner(self.config, winner, limited, self.prepared, self.attempts)
        except* TimeoutError:
            verdict = self._too_late(winner)
        return winner or (engine.ranking() or engine.state.candidates)[0], verdict

    def _too_late(self, winner: PromptCandidate | None) -> Verdict:
        when = "the best prompts were compared on the selection" if winner is None else "the test was over"
        return Verdict(
            is_promoted=False,
            improvement=None,
            sentence=f"not proven: the time ({self.deadline.limit_s:g} s) was up before {when}; the seed stays",
        )
