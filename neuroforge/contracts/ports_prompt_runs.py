"""As `ports`, for optimisations of prompts on the server."""

from typing import Protocol

from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunFile, PromptRunStatus
from neuroforge.contracts.runs import FilePiece, FileSize


class PromptRunDesk(Protocol):
    """Optimisations of the server, over a handle: started, watched, stopped, read."""

    async def plan(self, config: OptimizeConfig) -> OptimizePlan:
        """What it would take; no model is asked.

        Raises:
            DataError, ModelNotFound, NotFound, SandboxUnavailable: It cannot run; says why, and what would be allowed.
        """
        ...

    async def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        """Check as `plan`, then queue it.

        Args:
            key: From `new_start_key`: the same again begins no other run, and goes on with one that was interrupted.
        Raises:
            ConflictError: That key began a run with another configuration.
        """
        ...

    async def status(self, run_id: str) -> PromptRunStatus:
        """Raises NotFound."""
        ...

    async def list_runs(self) -> tuple[PromptRunStatus, ...]:
        """Newest first."""
        ...

    async def cancel(self, run_id: str) -> PromptRunStatus:
        """Stop it; what is answered stays. Raises NotFound, ConflictError: it has ended."""
        ...

    async def resume(self, run_id: str) -> PromptRunStatus:
        """Go on; nothing that was answered is asked again. One that is done registers and tracks what it could not.

        Raises:
            NotFound. ConflictError: It runs, or is done and was registered and tracked as it should.
        """
        ...

    async def result(self, run_id: str) -> OptimizationResult:
        """Raises NotFound; ConflictError: not there yet, says why."""
        ...

    async def find_file(self, run_id: str, name: PromptRunFile) -> FileSize:
        """How large it is. Raises as `result`."""
        ...

    async def read_file(self, run_id: str, name: PromptRunFile, piece: FilePiece) -> bytes:
        """At most so many bytes; empty at the end. Raises as `result`; ConflictError: it was written anew."""
        ...
