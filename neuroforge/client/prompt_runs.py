"""`client.prompts.runs`: prompts that are optimised on the server: start -> wait -> result."""

from pathlib import Path
from typing import TYPE_CHECKING

from neuroforge.client import calls_prompt_runs as calls
from neuroforge.client.runs import AsyncRuns, OnStatus, Runs, Watch, check_ended_well, read_table, write
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

OnProgress = OnStatus[PromptRunStatus]
_BAD = frozenset({"failed", "cancelled", "interrupted"})


class PromptRuns(Runs):
    """The blocking client's part."""

    def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        """Upload its examples if they lie here, check it and queue it; returns at once.

        Args:
            key: From `contracts.runs.new_start_key`, kept before the call: whoever starts the same with it again finds
                this run, whatever became of the call, and goes on with it if it was interrupted.
        Raises:
            DataError, ModelNotFound: It cannot run; says why. Nothing was spent.
            ConflictError: The key began another run.
        """
        sent, uploads = _sent_form(config)
        self._upload(uploads)
        return self._sent(calls.start(sent, key))

    def plan(self, config: OptimizeConfig) -> OptimizePlan:
        """What it would take; asks no model. Raises as `start`."""
        sent, uploads = _sent_form(config)
        self._upload(uploads)
        return self._sent(calls.plan(sent))

    def wait(
        self, run_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None
    ) -> PromptRunStatus:
        """Return its status when it has ended, however it did. Raises NotFound; EngineTimeout."""
        return self._wait(calls.status(run_id), Watch(f"prompt run {run_id}", on_progress, timeout_s))

    def outcome(self, run_id: str) -> OptimizationResult:
        """Return what an ended one found. Raises NotFound; ConflictError: it has not ended, or not well."""
        _check_done(self.status(run_id))
        return self.result(run_id)

    def status(self, run_id: str) -> PromptRunStatus:
        """Where it stands, with best so far and spend. Raises NotFound."""
        return self._sent(calls.status(run_id))

    def list(self, limit: int = 100) -> tuple[PromptRunStatus, ...]:
        """Newest first."""
        return self._sent(calls.list_runs(limit))

    def cancel(self, run_id: str) -> PromptRunStatus:
        """Stop it; it can be resumed. Raises NotFound, ConflictError: it has ended."""
        return self._sent(calls.act(run_id, "cancel"))

    def resume(self, run_id: str) -> PromptRunStatus:
        """Go on; nothing that was answered is asked again. One that is done registers and tracks what it could not.

        Raises:
            NotFound. ConflictError: It runs, or nothing is open.
        """
        return self._sent(calls.act(run_id, "resume"))

    def result(self, run_id: str) -> OptimizationResult:
        """Raises NotFound; ConflictError: not there yet, says why."""
        return self._sent(calls.result(run_id))

    def report(self, run_id: str, path: str | Path | None = None) -> str:
        """Return the report as HTML, written to `path` if one is given. Raises as `result`."""
        return write(self._sent(calls.file(run_id, "report")), path).decode()

    def candidates(self, run_id: str, path: str | Path | None = None) -> "pa.Table":
        """Return every prompt that was tried, written to `path` as Parquet if one is given. Raises as `result`."""
        return read_table(write(self._sent(calls.file(run_id, "candidates")), path))

    def evaluations(self, run_id: str, path: str | Path | None = None) -> "pa.Table":
        """Return what each prompt got on each item, written to `path` if one is given. Raises as `result`."""
        return read_table(write(self._sent(calls.file(run_id, "evaluations")), path))


class AsyncPromptRuns(AsyncRuns):
    """The async client's part."""

    async def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        """As the blocking client."""
        sent, uploads = _sent_form(config)
        await self._upload(uploads)
        return await self._sent(calls.start(sent, key))

    async def plan(self, config: OptimizeConfig) -> OptimizePlan:
        """As the blocking client."""
        sent, uploads = _sent_form(config)
        await self._upload(uploads)
        return await self._sent(calls.plan(sent))

    async def wait(
        self, run_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None
    ) -> PromptRunStatus:
        """As the blocking client."""
        return await self._wait(calls.status(run_id), Watch(f"prompt run {run_id}", on_progress, timeout_s))

    async def outcome(self, run_id: str) -> OptimizationResult:
        """As the blocking client."""
        _check_done(await self.status(run_id))
        return await self.result(run_id)

    async def status(self, run_id: str) -> PromptRunStatus:
        """As the blocking client."""
        return await self._sent(calls.status(run_id))

    async def list(self, limit: int = 100) -> tuple[PromptRunStatus, ...]:
        """As the blocking client."""
        return await self._sent(calls.list_runs(limit))

    async def cancel(self, run_id: str) -> PromptRunStatus:
        """As the blocking client."""
        return await self._sent(calls.act(run_id, "cancel"))

    async def resume(self, run_id: str) -> PromptRunStatus:
        """As the blocking client."""
        return await self._sent(calls.act(run_id, "resume"))

    async def result(self, run_id: str) -> OptimizationResult:
        """As the blocking client."""
        return await self._sent(calls.result(run_id))

    async def report(self, run_id: str, path: str | Path | None = None) -> str:
        """As the blocking client."""
        return write(await self._sent(calls.file(run_id, "report")), path).decode()

    async def candidates(self, run_id: str, path: str | Path | None = None) -> "pa.Table":
        """As the blocking client."""
        return read_table(write(await self._sent(calls.file(run_id, "candidates")), path))

    async def evaluations(self, run_id: str, path: str | Path | None = None) -> "pa.Table":
        """As the blocking client."""
        return read_table(write(await self._sent(calls.file(run_id, "evaluations")), path))


def _sent_form(config: OptimizeConfig) -> "tuple[OptimizeConfig, Mapping[str, bytes]]":
    from neuroforge.client.prompt_task import with_uploads  # reading datasets is only for who starts a run

    return with_uploads(config)


def _check_done(status: PromptRunStatus) -> None:
    check_ended_well(status, "prompt run", "neuroforge prompts resume", _BAD)
