"""CohortWorker: Ray Tune's trainable, one process that takes cohort after cohort through a block of items each."""

import asyncio
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from ray import tune

from cluster.cells import GatewayAddress
from cluster.cohorts import Cohort
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.errors import DiskFull
from neuroforge.prompts.ask import ItemAsker, Target
from neuroforge.prompts.evaluate import Evaluator, all_of
from neuroforge.prompts.results import ResultLog
from neuroforge.prompts.run import reply_scorer
from neuroforge.scoring.sandbox import Sandbox

SCRATCH = "tune"
"""Folder in the run's directory for what only a running Tune needs."""


@dataclass(frozen=True)
class Crew:
    """What every worker needs; put once into Ray's object store."""

    gateway: GatewayAddress
    target: Target
    items: Mapping[str, DatasetItem]
    directory: Path
    n_slots: int
    """Calls at once, of each worker."""


class CohortWorker(tune.Trainable):  # type: ignore[misc]
    """Takes one cohort after another through a block each; lives on the driver's node, where the logs are."""

    def setup(self, config: dict[str, Any], crew: Crew) -> None:  # noqa: ARG002 - Tune's signature
        """Open client and log, once for all cohorts."""
        # When the driver dies Ray sends SIGTERM, and its handler raises SystemExit inside the loop: the call it hits
        # gives its slot away, and one call more than were in flight is made and lost. Nothing here needs tidying up.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._directory = crew.directory
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._client = AsyncClient(crew.gateway.base_url, crew.gateway.api_key, crew.gateway.timeout_s)
        self._log = ResultLog.of_worker(crew.directory, time.monotonic)
        asker = ItemAsker(self._client, crew.target, reply_scorer(Sandbox()), asyncio.sleep)
        self._evaluator = Evaluator(asker, crew.items, self._log, crew.n_slots)

    def reset_config(self, new_config: dict[str, Any]) -> bool:  # noqa: ARG002 - Tune's signature
        """Nothing is kept from one cohort to the next but connections and what is known."""
        return True

    def step(self) -> dict[str, Any]:
        """Evaluate the cohort; what it came to stands in the log."""
        cohort = read_cohort(self._directory, self.config["cohort"])
        self._log.refresh()
        try:
            self._runner.run(_evaluate(self._evaluator, cohort))
        except DiskFull as error:
            return {"cohort": cohort.number, "disk_full": error.message}
        return {"cohort": cohort.number, "disk_full": ""}

    def cleanup(self) -> None:
        """Close connections and log."""
        self._runner.run(self._client.close())
        self._runner.close()
        self._log.close()


async def _evaluate(evaluator: Evaluator, cohort: Cohort) -> None:
    """Not a method: of a class that has coroutines Ray would run everything in a loop of its own."""
    await all_of([evaluator.evaluate(trial) for trial in cohort.trials()])


def write_cohort(directory: Path, cohort: Cohort) -> None:
    """Put it where a worker finds it by its number: Tune copies and writes what it is given many times over."""
    _path(directory, cohort.number).write_text(cohort.model_dump_json())


def read_cohort(directory: Path, number: int) -> Cohort:
    """Return what `write_cohort` has put there."""
    return Cohort.model_validate_json(_path(directory, number).read_text())


def make_scratch(directory: Path) -> Path:
    """Return an empty folder for a run of Tune; what a killed one left there is of no use."""
    scratch = directory / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    _path(directory, 0).parent.mkdir(parents=True)
    return scratch


def _path(directory: Path, number: int) -> Path:
    return directory / SCRATCH / "cohorts" / f"{number}.json"
