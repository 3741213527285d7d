"""settings + one optimisation of a prompt -> its whole run: the composition root. Runs in a process of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cluster.actors import get_fleet_actor, get_state_actor
from cluster.cells import GatewayAddress
from cluster.experiment_key import gateway_address
from cluster.fleet_models import FleetModels
from cluster.handles import FleetHandle, StateHandle
from cluster.handles_prompts import PromptsHandle
from cluster.run_work import RunWork
from cluster.tracking import open_tracker
from neuroforge.assets.store import AssetStore
from neuroforge.client import AsyncClient
from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan
from neuroforge.contracts.ports_prompts import PromptDesk
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.contracts.prompt_serving import PRODUCTION, PromptPromotion
from neuroforge.contracts.prompts import PromptEntry, PromptRelease
from neuroforge.contracts.runs import RunEnd
from neuroforge.experiments.shelf import ITEMS_FOLDER
from neuroforge.prompts.attempts import attempts_of
from neuroforge.prompts.deliver import Outlets
from neuroforge.prompts.delivered import is_undelivered
from neuroforge.prompts.desk import KIND
from neuroforge.prompts.progress_file import ProgressFile
from neuroforge.prompts.run import OptimizationRun, plan_optimization, run_optimization
from neuroforge.runs.uploads import Uploads
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.settings import Settings


class PromptWork(RunWork):
    """One optimisation; what it has answered stands in its directory whenever it stops."""

    def __init__(self, settings: Settings, status: PromptRunStatus) -> None:
        super().__init__(status.id)
        self._settings = settings
        self._status = status
        self._task: asyncio.Task[RunEnd] | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """See RunWork: calls in flight are given up, which frees the engine's slots."""
        self._is_cancelled = True
        if self._task is not None and not self._task.done():
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def work(self) -> RunEnd:
        """See RunWork."""
        self._task = asyncio.create_task(self._optimize())
        if self._is_cancelled:
            self._task.cancel()
        await asyncio.wait((self._task,))
        return RunEnd(state="cancelled") if self._task.cancelled() else self._task.result()

    async def _optimize(self) -> RunEnd:
        from cluster.tune import TuneDriver  # takes seconds to import, and a check needs none of it

        directory = Path(self._status.directory or "")
        async with _opened(self._settings, directory) as (run, address):
            driven = replace(run, drive=TuneDriver(address))
            result = await run_optimization(self._status.config, driven)
        served = () if result.registered is None else (_say(result.registered),)
        again = (f"to try that again: {KIND.resume} {self._status.id}",) if is_undelivered(result) else ()
        return RunEnd(state="done", notes=(*result.warnings, *again, *served), tracked_at=result.tracked_at)


class DeskRegistry:
    """PromptRegistry over the desk that the gateway is given: the key of runs may not promote."""

    def __init__(self, desk: PromptDesk) -> None:
        self._desk = desk

    async def promote(
        self, release: PromptRelease, alias: str = PRODUCTION, shadow_share: float | None = None
    ) -> PromptEntry:
        """See PromptRegistry."""
        promotion = PromptPromotion(release=release, alias=alias, shadow_share=shadow_share)
        return await self._desk.promote(release.name, promotion)


def _say(entry: PromptEntry) -> str:
    named = ", ".join(f"prompt:{entry.release.name}@{alias}" for alias in entry.aliases)
    return f"served as {named}, version {entry.release.version}"


def check_prompt(settings: Settings, config: OptimizeConfig) -> OptimizePlan:
    """Read the examples, and return what the run would take; no model is asked.

    Raises:
        NeuroForgeError: As PromptRunDesk.plan.
    """

    async def check() -> OptimizePlan:
        async with _opened(settings, Path()) as (run, _):
            return await plan_optimization(config, run)

    return asyncio.run(check())


@asynccontextmanager
async def _opened(settings: Settings, directory: Path) -> AsyncIterator[tuple[OptimizationRun, GatewayAddress]]:
    """Yield what a run needs, and the address of the gateway, which it calls as experiments do."""
    address = await gateway_address(settings)
    home = settings.storage.home
    prompts = PromptsHandle(StateHandle(get_state_actor(settings)), settings)
    async with AsyncClient(address.base_url, address.api_key, address.timeout_s) as client:
        run = OptimizationRun(
            client=FleetModels(FleetHandle(get_fleet_actor(settings)), client),
            assets=AssetStore(home),
            sandbox=Sandbox(),
            directory=directory,
            attempts=attempts_of(home),
            on_progress=ProgressFile(directory, time.monotonic).write,
            uploads=Uploads(home / "experiments" / ITEMS_FOLDER),
            outlets=Outlets(DeskRegistry(prompts), open_tracker(settings)),
        )
        yield run, address
