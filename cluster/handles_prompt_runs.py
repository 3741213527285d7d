"""PromptRunDesk over the handle of the actor that also is the experiments desk."""

from typing import Any

from cluster.handles import call
from cluster.handles_experiments import SLOW_TIMEOUT_S
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunFile, PromptRunStatus
from neuroforge.contracts.runs import FilePiece, FileSize, new_start_key

WHO = "the desk of prompt runs"


class PromptRunsHandle:
    """PromptRunDesk, in the desk's actor; a start has a key, as ExperimentsHandle's."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def plan(self, config: OptimizeConfig) -> OptimizePlan:
        """See PromptRunDesk."""
        return await call(self._actor.plan_prompt.remote(config), WHO, SLOW_TIMEOUT_S)

    async def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        """See PromptRunDesk."""
        return await call(self._actor.start_prompt.remote(config, key or new_start_key()), WHO, SLOW_TIMEOUT_S)

    async def status(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk."""
        return await call(self._actor.prompt_status.remote(run_id), WHO)

    async def list_runs(self) -> tuple[PromptRunStatus, ...]:
        """See PromptRunDesk."""
        return await call(self._actor.list_prompts.remote(), WHO)

    async def cancel(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk."""
        return await call(self._actor.cancel_prompt.remote(run_id), WHO)

    async def resume(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk."""
        return await call(self._actor.resume_prompt.remote(run_id), WHO)

    async def result(self, run_id: str) -> OptimizationResult:
        """See PromptRunDesk."""
        return await call(self._actor.prompt_result.remote(run_id), WHO)

    async def find_file(self, run_id: str, name: PromptRunFile) -> FileSize:
        """See PromptRunDesk."""
        return await call(self._actor.find_prompt_file.remote(run_id, name), WHO)

    async def read_file(self, run_id: str, name: PromptRunFile, piece: FilePiece) -> bytes:
        """See PromptRunDesk."""
        return await call(self._actor.read_prompt_file.remote(run_id, name, piece), WHO)
