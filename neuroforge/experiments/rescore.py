"""Kept replies -> scores anew: what the items' own scorers said is dropped, people and judges are kept."""

from pathlib import Path

from filelock import Timeout

from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.contracts.experiments import CellScore, ExperimentConfig
from neuroforge.contracts.scores import SCORER_NAMES
from neuroforge.errors import ConflictError
from neuroforge.experiments.scores import NAME
from neuroforge.storage.append_log import lock_of
from neuroforge.storage.files import write_whole


def drop_scores(directory: Path, timeout_s: float = 30.0) -> int:
    """Take out of scores.jsonl what scorers said; return how many.

    Nobody else writes meanwhile, or grades that people import then would be lost. The last line may be cut off by a
    crash; it goes too.

    Args:
        timeout_s: How long another writer is waited for.
    Raises:
        ConflictError: Another process still writes scores.
        DiskFull, StorageError: Nothing has changed.
    """
    path = directory / NAME
    lock = lock_of(path)
    try:
        lock.acquire(timeout=timeout_s, poll_interval=0.02)
    except Timeout as error:
        raise ConflictError(f"{path}: another process is writing it; wait for it") from error
    try:
        return _drop(path)
    finally:
        lock.release()


def _drop(path: Path) -> int:
    if not path.is_file():
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    kept = [line for line in whole if CellScore.model_validate_json(line).scorer not in SCORER_NAMES]
    write_whole(path, b"".join(kept))
    return len(whole) - len(kept)


def without_calls(plan: ExperimentPlan) -> ExperimentPlan:
    """Return the plan with nothing to ask, of models and of the cache."""
    config = ExperimentConfig(**{**dict(plan.config), "use_cache": False})
    return ExperimentPlan(**{**dict(plan), "config": config, "lanes": ()})
