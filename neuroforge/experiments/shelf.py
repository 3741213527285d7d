"""$HOME/experiments: a directory an experiment, and the items that callers upload."""

from pathlib import Path

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiments import ExperimentStatus, Progress
from neuroforge.runs.shelf import RunKind, RunShelf
from neuroforge.runs.uploads import Uploads

ITEMS_FOLDER = "_items"
KIND = RunKind("experiment", "exp", ExperimentStatus, Progress, resume="neuroforge experiment resume")


class Shelf(RunShelf[ExperimentStatus]):
    """Experiments by id, and uploads."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, KIND)
        uploads = root / ITEMS_FOLDER
        uploads.mkdir(exist_ok=True, mode=0o700)
        self.uploads = Uploads(uploads)

    def drop_unused_uploads(self, now_s: float, used_beside: frozenset[str] = frozenset()) -> None:
        """As Uploads.drop_unused; what an experiment here was made of is in use, since a rerun reads it again.

        Args:
            used_beside: Digests of items that other runs are made of.
        """
        sources = [source for status in self.everything() for source in status.config.datasets]
        in_use = {one.uploaded for one in sources if one.uploaded is not None}
        self.uploads.drop_unused(in_use | used_beside, now_s)

    def analysis(self, experiment_id: str) -> Analysis:
        """Raises as `file`."""
        return Analysis.model_validate_json(self.file(experiment_id, "analysis.json").read_bytes())
