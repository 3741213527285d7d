"""A finished run -> its result, tables and report on disk; a proven winner registered; one run in the tracker."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.contracts.ports_experiments import ExperimentTracker
from neuroforge.contracts.ports_prompts import PromptRegistry
from neuroforge.errors import DataError, NeuroForgeError
from neuroforge.prompts.delivered import NOT_REGISTERED, NOT_TRACKED
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, REPORT, RESULT
from neuroforge.prompts.release import release_of_result
from neuroforge.prompts.report import render_report
from neuroforge.prompts.reporting.view import Finished
from neuroforge.prompts.tables import candidates_table, evaluations_table
from neuroforge.storage.files import write_whole


@dataclass(frozen=True)
class Outlets:
    """Who is told of a finished run; None = nobody."""

    registry: PromptRegistry | None = None
    tracker: ExperimentTracker | None = None


async def deliver(
    finished: Finished, before: OptimizationResult | None, directory: Path, outlets: Outlets
) -> OptimizationResult:
    """Return the result with where it went. It stands on disk before anything else can fail.

    What an earlier start of the run registered or tracked is not registered or tracked again. Where that fails the
    result's warnings say so, and what to do.

    Args:
        before: What an earlier start wrote.
    Raises:
        DiskFull, StorageError: A file cannot be written.
    """
    result = finished.result
    if before is not None:
        result = _with(result, registered=before.registered, tracked_at=before.tracked_at)
    _write_result(directory, result)
    write_whole(directory / EVALUATIONS, evaluations_table(finished.measured, finished.items))
    state = finished.state
    write_whole(directory / CANDIDATES, candidates_table(state, result.front, result.lineage[0].id))
    result = await _register(result, finished.config, directory, outlets.registry)
    _write_result(directory, result)
    page = render_report(Finished(finished.config, result, state, finished.measured, finished.items))
    write_whole(directory / REPORT, page.encode())
    result = await _track(result, finished.config, directory, outlets.tracker)
    _write_result(directory, result)
    return result


def read_result(directory: Path) -> OptimizationResult | None:
    """Return what an earlier start wrote; None = nothing. Raises DataError: it is of another version."""
    path = directory / RESULT
    if not path.exists():
        return None
    try:
        return OptimizationResult.model_validate_json(path.read_text())
    except ValidationError as error:
        raise DataError(f"{path}: is no result of this version; use another directory") from error


async def _register(
    result: OptimizationResult, config: OptimizeConfig, directory: Path, registry: PromptRegistry | None
) -> OptimizationResult:
    if not (result.is_promoted and config.promote) or registry is None or result.registered is not None:
        return result
    try:
        release = release_of_result(result)
    except DataError as error:
        return _with(result, warnings=(*result.warnings, f"proven, but it cannot be registered: {error.message}"))
    try:
        entry = await registry.promote(release, config.alias)
    except NeuroForgeError as error:
        told = (
            f"{NOT_REGISTERED}{error.message}. Nothing is lost: neuroforge prompts promote {directory} "
            f"--alias {config.alias}"
        )
        return _with(result, warnings=(*result.warnings, told))
    return _with(result, registered=entry)


async def _track(
    result: OptimizationResult, config: OptimizeConfig, directory: Path, tracker: ExperimentTracker | None
) -> OptimizationResult:
    if tracker is None or result.tracked_at is not None:
        return result
    files = tuple(str(directory / name) for name in (RESULT, REPORT, CANDIDATES))
    try:
        address = await asyncio.to_thread(tracker.track, tracked_run(result, config, files))
    except NeuroForgeError as error:
        return _with(result, warnings=(*result.warnings, f"{NOT_TRACKED}{error.message}"))
    return _with(result, tracked_at=address)


def tracked_run(result: OptimizationResult, config: OptimizeConfig, files: tuple[str, ...]) -> TrackedRun:
    """Return aggregates and the winner; candidates are in Parquet."""
    metrics = {f"score.{name}": value for name, value in result.scores.items()}
    if (found := result.improvement) is not None:
        metrics |= {"improvement": found.mean, "improvement.low": found.low, "improvement.high": found.high}
    if result.p_value is not None:
        metrics["p_value"] = result.p_value
    if result.search_test_gap is not None:
        metrics["search_test_gap"] = result.search_test_gap
    for name in ("n_candidates", "n_calls", "n_prompt_tokens", "n_completion_tokens", "cost_usd", "elapsed_s"):
        metrics[name] = float(getattr(result, name))
    parameters = {
        "target_model": result.plan.target_model,
        "strategy": config.strategy,
        "seed": str(config.seed),
        "budget": config.budget.model_dump_json(exclude_none=True),
        "data_sha256": result.data_sha256 or "none",
        "prompt": result.text,
        **{f"version of {name}": value for name, value in result.versions.items()},
    }
    tags = {
        "neuroforge.is_promoted": str(result.is_promoted).lower(),
        "neuroforge.ended_because": result.ended_because or "nothing to search on",
        "neuroforge.winner": result.lineage[0].id,
    }
    return TrackedRun(
        experiment=f"prompt {result.name}",
        run_name=result.id,
        parameters=parameters,
        metrics=metrics,
        tags=tags,
        artifacts=files,
    )


def _with(result: OptimizationResult, **changes: Any) -> OptimizationResult:
    return OptimizationResult(**{**dict(result), **changes})


def _write_result(directory: Path, result: OptimizationResult) -> None:
    write_whole(directory / RESULT, result.model_dump_json(indent=2).encode())
