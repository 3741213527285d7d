"""Ray Tune drives a prompt search: a Searcher that asks for cohorts and a racing scheduler that ends them.

A trial is a cohort of candidates over one block of items, evaluated by an actor that is used again. Models stay
outside, behind the gateway. Answers stand in their actor's log the moment they are known and the engine's state in the
run's directory, so Tune's own state is of no use and is thrown away (docs/decisions/148).
"""

import asyncio
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.logger import JsonLoggerCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from cluster.cells import GatewayAddress
from cluster.cohort_worker import CohortWorker, Crew, make_scratch, write_cohort
from cluster.cohorts import Race
from neuroforge.errors import DiskFull, EngineError, NeuroForgeError
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.search import Proposes, SaveState, next_trials, take_in

SLOTS_A_WORKER = 64
"""Calls at once that one process drives with ease. Between steps Tune keeps one idle actor: more would start anew."""
_QUIET = {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
"""Tune's new output prints tables whatever its verbosity; of its log files only JSON is needed, by itself."""
FOLLOW_S = 1.0
"""Between looks at the workers' logs."""
N_RETRIES = 3
"""Times that a cohort is given to another actor when its own died."""


@dataclass(frozen=True)
class TuneDriver:
    """`SearchDriver` on the cluster that this process is connected to (`ray.init`)."""

    gateway: GatewayAddress
    slots_a_worker: int = SLOTS_A_WORKER

    async def __call__(
        self, engine: PromptEvolutionEngine, evaluator: Evaluator, proposer: Proposes | None, save: SaveState
    ) -> PromptEvolutionEngine:
        """As SearchDriver; cancelled, it ends once the workers have, which takes some seconds.

        Raises:
            DiskFull: An answer could not be kept.
            EngineError: Workers keep dying.
            ConflictError: Workers of an earlier run do not end.
        """
        await asyncio.to_thread(evaluator.log.wait_for_workers)
        first = await next_trials(engine, proposer, save)
        if not first:
            return engine
        loop = asyncio.get_running_loop()

        async def turn(done: tuple[Trial, ...]) -> tuple[Trial, ...]:
            _tell_news(evaluator)
            take_in(engine, evaluator, done, [evaluator.recall(trial) for trial in done])
            save(engine.state)
            return await next_trials(engine, proposer, save)

        n_workers = -(-evaluator.concurrency // self.slots_a_worker)
        race = Race(lambda done: asyncio.run_coroutine_threadsafe(turn(done), loop).result(), n_workers, first)
        following = asyncio.create_task(_follow(evaluator, race))
        try:
            await _fit(race, self._crew(evaluator, n_workers))
        finally:
            following.cancel()
            _tell_news(evaluator)
        return engine

    def _crew(self, evaluator: Evaluator, n_workers: int) -> Crew:
        return Crew(
            gateway=self.gateway,
            target=evaluator.asker.target,
            items=evaluator.items,
            directory=evaluator.log.path.parent.absolute(),
            n_slots=evaluator.concurrency // n_workers,
        )


class CohortSearcher(Searcher):  # type: ignore[misc]
    """Suggests the race's next cohort; None is the barrier at which a step waits for its last one."""

    def __init__(self, race: Race, directory: Path) -> None:
        super().__init__()
        self._race = race
        self._directory = directory

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # noqa: ARG002 - Tune's signature
        """See Searcher."""
        cohort = self._race.next()
        if cohort is None:
            return str(Searcher.FINISHED) if self._race.is_over else None
        write_cohort(self._directory, cohort)
        return {"cohort": cohort.number}

    def on_trial_complete(
        self,
        trial_id: str,  # noqa: ARG002 - Tune's signature
        result: dict[str, Any] | None = None,  # noqa: ARG002
        error: bool = False,
    ) -> None:
        """Of those that came through the scheduler knows."""
        if error:
            self._race.failure = EngineError(
                f"the process that evaluates prompts failed {N_RETRIES + 1} times (Ray's logs say why); what was "
                "answered is kept: start the run again"
            )

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the engine's own state is kept."""


class RacingScheduler(FIFOScheduler):  # type: ignore[misc]
    """Ends each trial after its block. The last one's end starts the engine's paired tests; survivors come again."""

    def __init__(self, race: Race) -> None:
        super().__init__()
        self._race = race

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """Tune asks all the time, so a search that failed or was cancelled ends here."""
        self._race.check()
        return super().choose_trial_to_run(tune_controller)

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002 - Tune's signature
        trial: TuneTrial,  # noqa: ARG002
        result: dict[str, Any],
    ) -> str:
        """See TrialScheduler."""
        if result["disk_full"]:
            self._race.failure = DiskFull(result["disk_full"])
        else:
            self._race.finish(result["cohort"])
        return str(TrialScheduler.STOP)


async def _follow(evaluator: Evaluator, race: Race) -> None:
    """Tell of answers as they come: a block of a slow model takes minutes."""
    try:
        while True:
            await asyncio.sleep(FOLLOW_S)
            _tell_news(evaluator)
    except NeuroForgeError as error:
        race.failure = error


def _tell_news(evaluator: Evaluator) -> None:
    for result in evaluator.log.refresh():
        evaluator.on_result(result)


class _StoppedError(Exception):
    """Ends Tune's loop when the driver is cancelled."""


async def _fit(race: Race, crew: Crew) -> None:
    """Run Tune in a thread until the race is over."""
    fitting = asyncio.ensure_future(asyncio.to_thread(_run_tune, race, crew))
    try:
        await asyncio.shield(fitting)
    except asyncio.CancelledError:
        race.failure = _StoppedError()
        await asyncio.gather(fitting, return_exceptions=True)
        raise


def _run_tune(race: Race, crew: Crew) -> None:
    os.environ.update(_QUIET)
    # It warns of every step in which the engine thinks, or a model writes, for half a second.
    logging.getLogger("ray.tune.utils.util").setLevel(logging.ERROR)
    scratch = make_scratch(crew.directory)
    worker = tune.with_parameters(CohortWorker, crew=crew)
    tuner = tune.Tuner(
        tune.with_resources(worker, tune.PlacementGroupFactory([{_this_node(): 0.001}])),
        tune_config=tune.TuneConfig(
            search_alg=CohortSearcher(race, crew.directory),
            scheduler=RacingScheduler(race),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[JsonLoggerCallback()],
            failure_config=tune.FailureConfig(max_failures=N_RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _this_node() -> str:
    """Ray's resource that only this node has. No CPUs: workers wait for replies, and must find room beside a fleet."""
    mine = ray.get_runtime_context().get_node_id()
    resources: dict[str, float] = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == mine)
    return next(name for name in resources if name.startswith("node:") and not name.startswith("node:__"))
