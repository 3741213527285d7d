"""PromptEngineeringCore: analyse -> improve -> validate -> evolve -> select -> test on fresh items -> result."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import (
    Finding,
    OptimizationResult,
    OptimizeConfig,
    OptimizePlan,
    PromptCandidate,
    PromptProgram,
)
from neuroforge.contracts.scores import Score
from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts.analyse import analyse_by_models, analyse_by_rules
from neuroforge.prompts.ask import ItemAsker, Models, Target
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.improve import Failure, Proposer, find_writers
from neuroforge.prompts.prepare import Prepared, prepare, seed_of
from neuroforge.prompts.program import program_id
from neuroforge.prompts.promote import Verdict, find_leaks, judge_winner
from neuroforge.prompts.render import to_text
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.search import search
from neuroforge.prompts.space import build_space, kind_of
from neuroforge.prompts.validate import validate

CONFIG, STATE, RESULT = "config.json", "state.json", "result.json"
N_FINALISTS = 3
"""Of the elite, beside the seed, that the selection split decides between."""

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
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    _warnings: list[str] = field(default_factory=list)

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
        _claim(directory, config)
        findings, refused = await self._analyse(seed, items)
        writers = await self._find_writers(config)
        plan = self._plan(config, prepared, writers)
        improved = await self._improve(seed, findings, writers)
        if prepared is None:
            return self._unmeasured(config, seed, plan, findings, improved)
        log = ResultLog(directory / RESULTS, self.clock)
        try:
            result = await self._evolve(config, prepared, plan, findings, improved, log, directory)
        finally:
            log.close()
        self._warnings += [f"{model} could not be asked for findings: {why}" for model, why in refused.items()]
        _write(directory / RESULT, result.model_dump_json(indent=2))
        return result

    async def _analyse(
        self, seed: PromptProgram, items: Sequence[DatasetItem]
    ) -> tuple[tuple[Finding, ...], dict[str, str]]:
        by_rules = analyse_by_rules(seed, kind_of(items))
        by_models, refused = await analyse_by_models(seed, self.client, self.contestants.others)
        return (*by_rules, *by_models), refused

    async def _find_writers(self, config: OptimizeConfig) -> tuple[str, ...]:
        if config.proposers is not None:
            return config.proposers
        return await find_writers(self.client, self.contestants.others)

    async def _improve(
        self, seed: PromptProgram, findings: Sequence[Finding], writers: tuple[str, ...]
    ) -> tuple[PromptProgram, ...]:
        """What models write against the worst findings, as far as models agree that it is the same task."""
        proposer = Proposer(self.client, writers, lambda _candidate: ())
        worst = sorted((one for one in findings if one.score < 1.0), key=lambda one: one.score)[:3]
        written = [await proposer.improve(seed, one, place) for place, one in enumerate(worst)]
        programs = [one for one in dict.fromkeys(map(_frozen, written)) if one is not None]
        found = await validate(
            seed, [PromptProgram.model_validate_json(one) for one in programs], self.client, self.contestants.others
        )
        return tuple(one.program for one in found)

    async def _evolve(
        self,
        config: OptimizeConfig,
        prepared: Prepared,
        plan: OptimizePlan,
        findings: Sequence[Finding],
        improved: Sequence[PromptProgram],
        log: ResultLog,
        directory: Path,
    ) -> OptimizationResult:
        target = Target(self.contestants.target.model_id, self.contestants.target.digest, prepared.labels)
        asker = ItemAsker(self.client, target, self.score, self.sleep)
        evaluator = Evaluator(asker, prepared.by_id, log, config.concurrency or self.contestants.n_slots)
        engine = self._engine(config, prepared, improved, bool(plan.writers), directory)
        proposer = Proposer(self.client, plan.writers, lambda one: _failures(engine, evaluator, one))

        def save(state: EvolutionState) -> None:
            engine.add_to_pool(evaluator.bootstrapped())
            _write(directory / STATE, state.model_dump_json())
            self.on_step(state)

        await search(engine, evaluator, proposer if plan.writers else None, save)
        winner = await self._select(engine, evaluator, prepared)
        verdict = await self._test(config, winner, evaluator, prepared)
        search_scores = engine.fitness_of(winner.id) if winner.id in {one.id for one in engine.ranking()} else {}
        optimized = winner.program if verdict.is_promoted else prepared.seed
        scores = {
            "original": verdict.seed_score,
            "optimized": verdict.winner_score,
            "search": float(np.mean(list(search_scores.values()))) if search_scores else None,
        }
        return OptimizationResult(
            name=config.name,
            original=prepared.seed,
            optimized=optimized,
            text=to_text(optimized),
            is_promoted=verdict.is_promoted,
            sentence=verdict.sentence,
            improvement=verdict.improvement,
            p_value=verdict.p_value,
            scores={name: value for name, value in scores.items() if value is not None},
            plan=plan,
            findings=tuple(findings),
            suggestions=tuple(improved),
            contributions={name: one.gain for name, one in sorted(engine.state.credits.items())},
            written_by_model=proposer.n_written_by_model,
            lineage=_lineage(engine, winner),
            front=engine.front(),
            ended_because=engine.state.ended_because,
            n_candidates=len(engine.state.candidates),
            n_calls=evaluator.spend.n_calls + proposer.n_calls,
            n_prompt_tokens=evaluator.spend.n_prompt_tokens + proposer.n_prompt_tokens,
            n_completion_tokens=evaluator.spend.n_completion_tokens + proposer.n_completion_tokens,
            warnings=(*self._warnings, *verdict.warnings),
        )

    def _engine(
        self,
        config: OptimizeConfig,
        prepared: Prepared,
        improved: Sequence[PromptProgram],
        has_proposers: bool,
        directory: Path,
    ) -> PromptEvolutionEngine:
        settings = EvolutionSettings(
            population=config.population,
            max_demonstrations=config.max_demonstrations,
            max_calls=search_calls(config, prepared),
            max_generations=config.n_generations,
            patience=config.patience,
            has_proposers=has_proposers,
            seed=config.seed,
        )
        items = [item for block in prepared.blocks for item in (prepared.by_id[one] for one in block)]
        space = build_space(prepared.seed, items, config.max_demonstrations)
        if (directory / STATE).exists():
            state = EvolutionState.model_validate_json((directory / STATE).read_text())
            return PromptEvolutionEngine(settings, space, prepared.blocks, state)
        return PromptEvolutionEngine.begin(settings, space, prepared.blocks, prepared.seed, prepared.pool, improved)

    async def _select(self, engine: PromptEvolutionEngine, evaluator: Evaluator, prepared: Prepared) -> PromptCandidate:
        """The finalist that is best on items that the search has not seen; the seed stands among them."""
        seed = engine.state.candidates[0]
        finalists = list(dict.fromkeys([seed.id, *(one.id for one in engine.ranking()[:N_FINALISTS])]))
        ids = tuple(item.id for item in prepared.splits["selection"])
        means = {}
        for one in finalists:
            results = await evaluator.results_of(engine.state.candidate(one).program, ids)
            fitness = [result.fitness for result in results if result.fitness is not None]
            means[one] = float(np.mean(fitness)) if fitness else float("-inf")
        best = max(finalists, key=lambda one: means[one])
        return engine.state.candidate(best)

    async def _test(
        self, config: OptimizeConfig, winner: PromptCandidate, evaluator: Evaluator, prepared: Prepared
    ) -> Verdict:
        """The only look at the test items."""
        test = prepared.splits["test"]
        leaks = find_leaks(winner.program, test, prepared.splits["search"])
        if winner.id == program_id(prepared.seed):
            return Verdict(
                is_promoted=False,
                improvement=None,
                sentence="on items that the search had not seen nothing was better than the seed: the seed stays",
                warnings=leaks,
            )
        ids = tuple(item.id for item in test)
        mine = await evaluator.results_of(winner.program, ids)
        seeds = await evaluator.results_of(prepared.seed, ids)
        verdict = judge_winner(
            {one.item_id: one.score for one in mine},
            {one.item_id: one.score for one in seeds},
            {item.id: item.group for item in test},
            config.alpha,
            np.random.default_rng(config.seed),
        )
        return Verdict(**{**dict(verdict), "warnings": leaks})

    def _plan(self, config: OptimizeConfig, prepared: Prepared | None, writers: tuple[str, ...]) -> OptimizePlan:
        sizes = {} if prepared is None else {name: len(items) for name, items in prepared.splits.items()}
        return OptimizePlan(
            target_model=self.contestants.target.model_id,
            n_items=sizes,
            max_calls=config.budget.max_calls,
            n_test_calls=2 * sizes.get("test", 0),
            is_by_labels=bool(prepared and prepared.labels),
            writers=writers,
        )

    def _unmeasured(
        self,
        config: OptimizeConfig,
        seed: PromptProgram,
        plan: OptimizePlan,
        findings: Sequence[Finding],
        improved: Sequence[PromptProgram],
    ) -> OptimizationResult:
        return OptimizationResult(
            name=config.name,
            original=seed,
            optimized=seed,
            text=to_text(seed),
            is_promoted=False,
            sentence="there are no examples, so nothing was measured: the suggestions may or may not be better",
            plan=plan,
            findings=tuple(findings),
            suggestions=tuple(improved),
            warnings=tuple(self._warnings),
        )


def search_calls(config: OptimizeConfig, prepared: Prepared) -> int | None:
    """Return the calls that the search may make, the rest of the budget being the selection's; None = no limit.

    Raises:
        DataError: The budget does not take a few candidates through one block; says what would.
    """
    max_calls = config.budget.max_calls
    if max_calls is None:
        return None
    n_items, n_block = len(prepared.splits["selection"]), len(prepared.blocks[0])
    n_selection = (N_FINALISTS + 1) * n_items
    if max_calls - n_selection < 2 * n_block:
        raise DataError(
            f"a budget of {max_calls} calls leaves {max(0, max_calls - n_selection)} for the search, after "
            f"{n_selection} for selecting among {N_FINALISTS + 1} prompts on {n_items} items: raise budget.max_calls "
            f"to {n_selection + 4 * n_block} or more, or give fewer examples"
        )
    return max_calls - n_selection


def _frozen(program: PromptProgram | None) -> str | None:
    return None if program is None else program.model_dump_json()


def _failures(engine: PromptEvolutionEngine, evaluator: Evaluator, candidate_id: str) -> tuple[Failure, ...]:
    fitness = engine.fitness_of(candidate_id)
    program = engine.state.candidate(candidate_id).program
    found = []
    for item_id in sorted(fitness, key=lambda one: fitness[one]):
        item = evaluator.items[item_id]
        known = evaluator.log.find(evaluator.asker.key(program, item))
        if known is not None and known.score is not None and known.score < 1.0 and item.references:
            found.append((item.query, known.reply or known.answer or "", item.references[0]))
    return tuple(found[:3])


def _lineage(engine: PromptEvolutionEngine, winner: PromptCandidate) -> tuple[PromptCandidate, ...]:
    """The winner, its first parent, that one's, and so on to the seed."""
    found = [winner]
    while found[-1].parents:
        found.append(engine.state.candidate(found[-1].parents[0]))
    return tuple(found)


def _claim(directory: Path, config: OptimizeConfig) -> None:
    """Write the configuration, or see that it is the one that is there."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / CONFIG
    if not path.exists():
        _write(path, config.model_dump_json(indent=2))
        return
    try:
        before = OptimizeConfig.model_validate_json(path.read_text())
    except ValidationError as error:
        raise DataError(f"{path}: is no configuration of this version; use another directory") from error
    if before != config:
        changed = sorted(name for name in OptimizeConfig.model_fields if getattr(before, name) != getattr(config, name))
        raise ConflictError(
            f"{directory} holds a run with another configuration ({', '.join(changed)}): use another directory, or "
            "give it the same to go on with it"
        )


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
