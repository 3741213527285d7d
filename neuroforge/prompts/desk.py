"""Optimisations on the server: start -> check -> queue; each lives in a directory, and resumes from it."""

from pathlib import Path
from typing import Protocol

from neuroforge.contracts.experiments import DatasetSource
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.datasets.items_file import dump_items
from neuroforge.errors import ConflictError
from neuroforge.prompts.delivered import is_undelivered
from neuroforge.prompts.directory import RESULT
from neuroforge.runs.queue import RunLauncher, RunQueue
from neuroforge.runs.shelf import RunKind, RunShelf
from neuroforge.runs.turns import Turns
from neuroforge.runs.uploads import Uploads

KIND = RunKind("prompt run", "opt", PromptRunStatus, OptimizeProgress, resume="neuroforge prompts resume")


class PromptLauncher(RunLauncher, Protocol):
    """Where optimisations run, and are checked."""

    async def check(self, config: OptimizeConfig) -> OptimizePlan:
        """See PromptRunDesk.plan."""
        ...


class PromptRunShelf(RunShelf[PromptRunStatus]):
    """$HOME/prompts: a directory an optimisation."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, KIND)

    def uploads_in_use(self) -> frozenset[str]:
        """Digests of items that runs here are made of: a resume reads them again."""
        sources = (status.config.dataset for status in self.everything())
        return frozenset(one.uploaded for one in sources if one is not None and one.uploaded is not None)

    def result(self, run_id: str) -> OptimizationResult:
        """Raises as `file`."""
        return OptimizationResult.model_validate_json(self.file(run_id, RESULT).read_bytes())


class PromptQueue(RunQueue[PromptRunStatus]):
    """What stands behind PromptRunDesk."""

    def __init__(
        self, shelf: PromptRunShelf, launcher: PromptLauncher, uploads: Uploads, now_s: Clock, turns: Turns
    ) -> None:
        super().__init__(shelf, launcher, now_s, turns)
        self._prompt_shelf = shelf
        self._checks = launcher
        self._uploads = uploads

    async def plan(self, config: OptimizeConfig) -> OptimizePlan:
        """See PromptRunDesk."""
        return await self._checks.check(config)

    async def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        """See PromptRunDesk; `key` as of `_begun`."""

        async def make(directory: Path, now_s: float) -> PromptRunStatus:
            plan = await self._checks.check(config)
            return PromptRunStatus(
                id=directory.name,
                name=config.name,
                state="queued",
                config=self._without_items(config),
                created_at_s=now_s,
                plan=plan,
                directory=str(directory),
            )

        return await self._begun(make, lambda begun: begun.config == self._without_items(config), key)

    async def resume(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk."""
        status = self._settled(run_id, "resumed")
        if status.state == "done" and not is_undelivered(self._prompt_shelf.result(run_id)):
            raise ConflictError(f"prompt run {run_id!r} is done: read its result, or start another")
        return self._queue(status, "run")

    def _without_items(self, config: OptimizeConfig) -> OptimizeConfig:
        """Statuses are listed and outlive a purge: they hold no texts of examples."""
        if not config.items:
            return config
        digest = self._uploads.keep(dump_items(config.items))
        source = DatasetSource(name=config.name, uploaded=digest)
        return OptimizeConfig(**{**dict(config), "items": (), "dataset": source})
