"""Kept replies -> scores anew: what the items' own scorers said is dropped, people and judges are kept."""

from pathlib import Path

from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.contracts.experiments import CellScore, ExperimentConfig
from neuroforge.contracts.scores import SCORER_NAMES
from neuroforge.experiments.files import write_whole
from neuroforge.experiments.scores import NAME


def drop_scores(directory: Path) -> int:
    """Take out of scores.jsonl what scorers said; return how many. Raises DiskFull, StorageError: nothing has changed.

    The last line may be cut off by a crash; it goes too.
    """
    path = directory / NAME
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
