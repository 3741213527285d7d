"""A finished experiment -> one run in the tracker, and its files in the object store."""

import asyncio
import logging
from pathlib import Path

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.contracts.ports_experiments import ExperimentTracker, ObjectStore
from neuroforge.contracts.runs import RunEnd, RunState
from neuroforge.errors import NeuroForgeError
from neuroforge.experiments.pipeline import FinishedExperiment, result_files

logger = logging.getLogger(__name__)


class Publisher:
    """What fails here is a note: the experiment is done without it."""

    def __init__(self, tracker: ExperimentTracker | None, objects: ObjectStore) -> None:
        """Args: `tracker` None = switched off."""
        self._tracker = tracker
        self._objects = objects

    async def publish(self, finished: FinishedExperiment) -> RunEnd:
        """Keep the files, then tell the tracker; return how it ended, with a note on what failed."""
        state, notes = finished.results.state, list[str]()
        for path in result_files(finished):
            try:
                await asyncio.to_thread(
                    self._objects.put, f"experiments/{finished.analysis.experiment_id}/{path.name}", path
                )
            except NeuroForgeError as error:
                notes.append(_failed("result files", error))
                break
        tracked_at = None
        if self._tracker is not None:
            try:
                run = tracked_run(finished.analysis, state, result_files(finished)[:-1])
                tracked_at = await asyncio.to_thread(self._tracker.track, run)
            except NeuroForgeError as error:
                notes.append(_failed("tracking", error))
        return RunEnd(state=state, error=_why_open(finished), notes=tuple(notes), tracked_at=tracked_at)


def tracked_run(analysis: Analysis, state: RunState, files: tuple[Path, ...]) -> TrackedRun:
    """Return parameters, means with their intervals, and files. Cells are in Parquet, not here."""
    config = analysis.config
    parameters = {
        "models": ", ".join(config.models),
        "datasets": ", ".join(f"{one.name}:{one.n}" if one.n else one.name for one in config.datasets),
        "prompts": ", ".join(one.name for one in config.prompts),
        "decodings": ", ".join(one.name for one in config.decodings),
        "repeats": str(config.repeats),
        "metrics": ", ".join(config.metrics),
        "seed": str(config.seed),
        "n_items": str(analysis.n_items),
        **analysis.provenance,
    }
    metrics: dict[str, float] = {}
    for one in analysis.summaries:
        if one.estimate is not None and one.dataset is None and one.task is None:
            name = f"{one.metric}/{one.variant_id}"
            metrics |= {name: one.estimate.mean, f"{name}.low": one.estimate.low, f"{name}.high": one.estimate.high}
    tags = {"neuroforge.state": state, "neuroforge.winner": analysis.winner or "none shown"}
    return TrackedRun(
        experiment=analysis.name,
        run_name=analysis.experiment_id,
        parameters=parameters,
        metrics=metrics,
        tags=tags,
        artifacts=tuple(str(path) for path in files),
    )


def _failed(what: str, error: NeuroForgeError) -> str:
    logger.warning("experiment not published", extra={"what": what, "reason": error.code})
    return f"{what}: {error.message}"


def _why_open(finished: FinishedExperiment) -> str | None:
    progress, judge = finished.results.progress, finished.analysis.judge
    if finished.results.state != "interrupted":
        return None
    left = []
    if n_left := progress.n_cells - progress.n_done:
        left.append(f"{n_left} cells are open" + (f" ({progress.stopped_by})" if progress.stopped_by else ""))
    if judge is not None and judge.n_open:
        left.append(f"{judge.n_open} replies are not judged")
    return f"{', '.join(left)}; go on with: neuroforge experiment resume {finished.analysis.experiment_id}"
