"""Where runs run: a detached actor for each. Imports little by itself.

The desk and the gateway import this module, the first for its life, the second to be able to make the desk; only the
processes that it starts need the libraries behind a run.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError

from cluster.handles import call
from cluster.names import NAMESPACE, ON_HEAD
from neuroforge.contracts.experiments import ExperimentStatus
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.contracts.runs import RunAction, RunEnd, RunStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.settings import Settings

if TYPE_CHECKING:
    from cluster.run_work import RunWork
    from neuroforge.runs.queue import RunProcess

SLOW_TIMEOUT_S = 600.0
"""A dataset may have to be fetched first."""
_NICENESS = 10
"""Runs wait where they compete with answering."""
_WORK_THREADS = 4
_NAME_TRIES, _NAME_WAIT_S = 60, 0.25
NO_CPUS: dict[str, Any] = {"num_cpus": 0, "resources": ON_HEAD}
"""A run mostly waits for models; a whole CPU might never come free beside a loaded fleet."""


class WorkActor:
    """One run in a process of its own; calls run in threads, so that a cancel is heard."""

    def __init__(self, settings: Settings, status: RunStatus, action: RunAction) -> None:
        os.nice(_NICENESS)
        self._work = _work_of(settings, status, action)

    def run(self) -> RunEnd:
        """Work to the end, however it is; asked twice, the second waits for the same end."""
        return self._work.run()

    def cancel(self) -> None:
        """Let no further call start."""
        self._work.cancel()


class _Process:
    """RunProcess over a work actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._end = actor.run.remote()

    async def ended(self) -> RunEnd:
        """See RunProcess. There is no limit: a run may take days."""
        return await call(self._end, "the run's process", None)

    async def cancel(self) -> None:
        """See RunProcess."""
        await call(self._actor.cancel.remote(), "the run's process")

    async def close(self) -> None:
        """See RunProcess."""
        ray.kill(self._actor)


class RayLauncher:
    """RunLauncher whose processes outlive the desk's own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def launch(self, status: RunStatus, action: RunAction) -> "RunProcess":
        """See RunLauncher."""
        named = _RemoteWork.options(
            name=process_name(status.id),
            namespace=NAMESPACE,
            lifetime="detached",
            max_restarts=0,
            max_concurrency=_WORK_THREADS,
            **NO_CPUS,
        )
        for _ in range(_NAME_TRIES):
            try:
                return _Process(named.remote(self._settings, status, action))
            except ValueError:  # the process before it is still being taken down, and holds the name
                await asyncio.sleep(_NAME_WAIT_S)
        raise EngineUnavailable(f"the process of {status.id} before this one does not end; try again")

    async def find(self, run_id: str) -> "RunProcess | None":
        """See RunLauncher."""
        try:
            return _Process(ray.get_actor(process_name(run_id), namespace=NAMESPACE))
        except (ValueError, RayActorError):
            return None


def process_name(run_id: str) -> str:
    """Return the name under which a run's process is found."""
    return f"neuroforge-run-{run_id}"


def _work_of(settings: Settings, status: RunStatus, action: RunAction) -> "RunWork":
    """What the process does, with the libraries that it needs."""
    if isinstance(status, ExperimentStatus):
        from cluster.experiment_work import ExperimentWork

        return ExperimentWork(settings, status, action)
    if isinstance(status, PromptRunStatus):
        from cluster.prompt_work import PromptWork

        return PromptWork(settings, status)
    raise TypeError(f"a {type(status).__name__} is no kind of run")


_RemoteWork = ray.remote(WorkActor)
