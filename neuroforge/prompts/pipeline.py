"""PromptEngineeringCore: analyse -> improve -> validate -> evolve -> select -> test on fresh items -> result."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import OptimizationResult, OptimizeConfig
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import ItemAsker, Models, Target
from neuroforge.prompts.conclude import Searched, conclude, conclude_unmeasured
from neuroforge.prompts.directory import RESULT, STATE, claim, write
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.improve import Failure, Proposer
from neuroforge.prompts.plan import plan_run, search_calls
from neuroforge.prompts.prepare import Prepared, prepare, seed_of
from neuroforge.prompts.prove import prove_winner, select_winner
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.search import SearchDriver, search
from neuroforge.prompts.space import build_space
from neuroforge.prompts.suggest import Suggestions, suggest

N_FAILURES = 3
"""Wrong answers that a model is shown, to reflect on."""

ScoreReply = Callable[[DatasetItem, str], Awaitable[Score]]


@dataclass(frozen=True)
class Contestants:
    """Models as they are hosted."""

    target: Target
    n_slots: int
    others: tuple[str, ...]
    """All that can chat, the target among them: who analyses, writes and votes."""


@dataclass
class PromptEngineeringCore:
    """Optimises prompts on models behind a gateway. A run lives in a directory, and goes on from what is there."""

    client: Models
    score: ScoreReply
    contestants: Contestants
    on_step: Callable[[EvolutionState], None] = lambda _state: None
    drive: SearchDriver = search
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic

    async def optimize_prompt(
        self, config: OptimizeConfig, items: Sequence[DatasetItem], directory: Path
    ) -> OptimizationResult:
        """Return the better prompt if fresh items prove it, else the original; without items only suggestions.

        Raises:
            DataError: As `prepare`; or the budget is too small for one candidate. Before any call.
            ConflictError: The directory holds a run with another configuration, or another process runs it.
        """
        seed = seed_of(config)
        prepared = prepare(config, items) if items else None
        if prepared is not None:
            search_calls(config, prepared)
        claim(directory, config)
        suggestions = await suggest(config, seed, items, self.client, self.contestants.others)
        plan = plan_run(config, prepared, self.contestants.target.model_id, suggestions.writers)
        if prepared is None:
            return conclude_unmeasured(config, seed, plan, suggestions)
        log = ResultLog(directory / RESULTS, self.clock)
        try:
            searched = await self._evolve(config, prepared, suggestions, log, directory)
        finally:
            log.close()
        result = conclude(config, seed, plan, suggestions, searched)
        write(directory / RESULT, result.model_dump_json(indent=2))
        return result

    async def _evolve(
        self, config: OptimizeConfig, prepared: Prepared, suggestions: Suggestions, log: ResultLog, directory: Path
    ) -> Searched:
        target = Target(self.contestants.target.model_id, self.contestants.target.digest, prepared.labels)
        asker = ItemAsker(self.client, target, self.score, self.sleep)
        evaluator = Evaluator(asker, prepared.by_id, log, config.concurrency or self.contestants.n_slots)
        engine = make_engine(config, prepared, suggestions, directory)
        proposer = Proposer(self.client, suggestions.writers, lambda one: _failures(engine, evaluator, one))

        def save(state: EvolutionState) -> None:
            write(directory / STATE, state.model_dump_json())
            self.on_step(state)

        await self.drive(engine, evaluator, proposer if suggestions.writers else None, save)
        winner = await select_winner(engine, evaluator, prepared)
        verdict = await prove_winner(config, winner, evaluator, prepared)
        return Searched(engine, evaluator, proposer, winner, verdict)


def make_engine(
    config: OptimizeConfig, prepared: Prepared, suggestions: Suggestions, directory: Path
) -> PromptEvolutionEngine:
    """Return the search as the directory has it; a new one where there is none."""
    settings = EvolutionSettings(
        population=config.population,
        max_demonstrations=config.max_demonstrations,
        max_calls=search_calls(config, prepared),
        max_generations=config.n_generations,
        patience=config.patience,
        has_proposers=bool(suggestions.writers),
        seed=config.seed,
    )
    items = [item for block in prepared.blocks for item in (prepared.by_id[one] for one in block)]
    space = build_space(prepared.seed, items, config.max_demonstrations)
    if (directory / STATE).exists():
        state = EvolutionState.model_validate_json((directory / STATE).read_text())
        return PromptEvolutionEngine(settings, space, prepared.blocks, state)
    return PromptEvolutionEngine.begin(
        settings, space, prepared.blocks, prepared.seed, prepared.pool, suggestions.programs
    )


def _failures(engine: PromptEvolutionEngine, evaluator: Evaluator, candidate_id: str) -> tuple[Failure, ...]:
    fitness = engine.fitness_of(candidate_id)
    program = engine.state.candidate(candidate_id).program
    found = []
    for item_id in sorted(fitness, key=lambda one: fitness[one]):
        item = evaluator.items[item_id]
        known = evaluator.log.find(evaluator.asker.key(program, item))
        if known is not None and known.score is not None and known.score < 1.0 and item.references:
            found.append((item.query, known.reply or known.answer or "", item.references[0]))
    return tuple(found[:N_FAILURES])
