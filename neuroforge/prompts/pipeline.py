"""PromptEngineeringCore: plan -> analyse, improve, validate -> evolve -> select -> test on fresh items -> result."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.scores import Score
from neuroforge.errors import first_of
from neuroforge.prompts.ask import ItemAsker, TargetModels
from neuroforge.prompts.attempts import ATTEMPTS, Attempts, question_of
from neuroforge.prompts.conclude import Searched, conclude, conclude_unmeasured
from neuroforge.prompts.deliver import Outlets, deliver, read_result
from neuroforge.prompts.directory import RESULT, claim
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution import Evolution
from neuroforge.prompts.in_time import Deadline, Proving, suggest_in_time
from neuroforge.prompts.plan import Contestants, plan_run
from neuroforge.prompts.prepare import Prepared, prepare
from neuroforge.prompts.progress import ProgressTeller
from neuroforge.prompts.prove import final_program, tell_level
from neuroforge.prompts.reporting.view import Finished
from neuroforge.prompts.search import SearchDriver, search
from neuroforge.prompts.suggest import Suggestions
from neuroforge.prompts.tables import list_measured
from neuroforge.prompts.workspace import Workspace, open_workspace
from neuroforge.storage.files import write_whole

ScoreReply = Callable[[DatasetItem, str], Awaitable[Score]]


@dataclass
class PromptEngineeringCore:
    """Optimises prompts on models behind a gateway. A run lives in a directory, and goes on from what is there."""

    client: TargetModels
    score: ScoreReply
    contestants: Contestants
    on_progress: Callable[[OptimizeProgress], None] = lambda _progress: None
    drive: SearchDriver = search
    outlets: Outlets = field(default_factory=Outlets)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    attempts: Path | None = None
    """File that remembers tests over all runs; None = one in the run's directory, which knows of no other's."""

    def plan(self, config: OptimizeConfig, items: Sequence[DatasetItem], directory: Path) -> OptimizePlan:
        """Return what a run would take. Nothing is called; the directory need not exist.

        Raises:
            DataError: As `optimize_prompt`.
        """
        return self._plan(config, self._prepare(config, items), directory)

    async def optimize_prompt(
        self, config: OptimizeConfig, items: Sequence[DatasetItem], directory: Path
    ) -> OptimizationResult:
        """Return the better prompt if fresh items prove it, else the original; without items only suggestions.

        Raises:
            DataError: As `prepare`; or the budget is too small for one candidate. Before any call.
            ConflictError: The directory holds a run with another configuration, or another process runs it.
        """
        prepared = self._prepare(config, items)
        plan = self._plan(config, prepared, directory)
        claim(directory, config)
        test = () if prepared is None else prepared.splits["test"]
        prices = self.contestants.price_by_model
        with open_workspace(directory, self.client, prices, test, self.clock) as workspace:
            try:
                return await self._run(config, prepared, plan, workspace)
            except ExceptionGroup as errors:
                raise first_of(errors) from None

    def _plan(self, config: OptimizeConfig, prepared: Prepared | None, directory: Path) -> OptimizePlan:
        """As `plan_run`, with what the test will have to pass if it is not the first on its items."""
        plan = plan_run(config, prepared, self.contestants)
        if prepared is None:
            return plan
        asked = question_of(config, plan.target_model, prepared.seed, prepared.splits["test"])
        told = tell_level(self._attempts(directory).foresee(asked, config.alpha), config.alpha)
        return OptimizePlan(**{**dict(plan), "notes": (*plan.notes, *told)})

    def _attempts(self, directory: Path) -> Attempts:
        return Attempts(self.attempts or directory / ATTEMPTS, directory)

    def _prepare(self, config: OptimizeConfig, items: Sequence[DatasetItem]) -> Prepared | None:
        return prepare(config, items, self.contestants.tells_labels) if items else None

    async def _run(
        self, config: OptimizeConfig, prepared: Prepared | None, plan: OptimizePlan, workspace: Workspace
    ) -> OptimizationResult:
        before = read_result(workspace.directory)
        teller = ProgressTeller(config.budget, plan.n_test_calls, workspace, self.on_progress)
        teller.enter("suggesting")
        deadline = Deadline(config.budget.max_duration, workspace.watch)
        suggestions = await suggest_in_time(config, prepared, workspace.beside, self.contestants.others, deadline)
        teller.warnings += (*suggestions.warnings, *workspace.earlier.warnings)
        if prepared is None:
            result = conclude_unmeasured(config, plan, suggestions, workspace)
            write_whole(workspace.directory / RESULT, result.model_dump_json(indent=2).encode())
            return result
        searched = await self._search(config, prepared, suggestions, workspace, teller)
        result = conclude(config, prepared, plan, suggestions, searched)
        state = searched.engine.state
        measured = list_measured(state, searched.winner.id, searched.final, searched.evaluator, prepared)
        finished = Finished(config, result, state, measured, prepared.by_id)
        result = await deliver(finished, before, workspace.directory, self.outlets)
        teller.enter("done")
        return result

    async def _search(
        self,
        config: OptimizeConfig,
        prepared: Prepared,
        suggestions: Suggestions,
        workspace: Workspace,
        teller: ProgressTeller,
    ) -> Searched:
        hosted = self.contestants.target
        target = replace(hosted, labels=prepared.labels)
        asker = ItemAsker(self.client, target, self.score, self.sleep)
        concurrency = config.concurrency or self.contestants.n_slots
        evaluator = Evaluator(asker, prepared.by_id, workspace.log, concurrency, teller.see_result)
        evolution = Evolution(config, prepared, suggestions, workspace, evaluator)
        teller.see_state(evolution.engine.state)
        teller.enter("searching")
        await evolution.run(self.drive, teller)
        deadline = Deadline(config.budget.max_duration, workspace.watch)
        proving = Proving(config, prepared, self._attempts(workspace.directory), deadline)
        winner, verdict = await proving.prove(evolution.engine, evaluator, teller.enter)
        final = final_program(winner.program, prepared)
        return Searched(
            evolution.engine,
            evaluator,
            winner,
            final,
            verdict,
            workspace,
            tuple(teller.warnings),
            evolution.template(winner, final),
        )
