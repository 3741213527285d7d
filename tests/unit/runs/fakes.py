"""Processes of runs without processes."""

import asyncio
from dataclasses import dataclass, field

from neuroforge.contracts.runs import RunAction, RunEnd, RunStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.runs.queue import RunProcess

DONE = RunEnd(state="done")


@dataclass
class FakeProcess:
    """Ends when told; obeys a cancel unless it is deaf: then the call for it ends as calls without an answer do."""

    is_deaf: bool = False
    end: "asyncio.Future[RunEnd]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_closed: bool = False

    async def ended(self) -> RunEnd:
        return await self.end

    async def cancel(self) -> None:
        if self.is_deaf:
            raise EngineUnavailable("no answer within 30 s")
        self.end.set_result(RunEnd(state="cancelled"))

    async def close(self) -> None:
        self.is_closed = True
        if not self.end.done():
            self.die()

    def die(self) -> None:
        self.end.set_exception(EngineUnavailable("the process is gone"))


@dataclass
class FakeProcesses:
    """A launcher; those in `alive` were there before."""

    alive: dict[str, FakeProcess] = field(default_factory=dict)
    is_deaf: bool = False
    launched: list[tuple[str, RunAction]] = field(default_factory=list)
    processes: dict[str, FakeProcess] = field(default_factory=dict)

    async def launch(self, status: RunStatus, action: RunAction) -> RunProcess:
        self.launched.append((status.id, action))
        process = self.processes[status.id] = FakeProcess(self.is_deaf)
        return process

    async def find(self, run_id: str) -> RunProcess | None:
        return self.alive.get(run_id)


async def settle() -> None:
    """Let all tasks go as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)
