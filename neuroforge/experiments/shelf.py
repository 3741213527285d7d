"""$HOME/experiments: a directory an experiment, found again after a restart. One writer: the desk."""

import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiment_desk import ResultFile
from neuroforge.contracts.experiments import ExperimentStatus, Progress
from neuroforge.errors import ConflictError, NotFound
from neuroforge.experiments.files import write_whole
from neuroforge.experiments.uploads import Uploads

logger = logging.getLogger(__name__)
STATUS_FILE = "status.json"
PROGRESS_FILE = "progress.json"
ITEMS_FOLDER = "_items"
UNFINISHED = frozenset({"queued", "running"})


class Shelf:
    """Statuses by id, kept in memory and on disk."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root = root
        for abandoned in root.glob("_scratch-*"):
            self.drop(abandoned)
        uploads = root / ITEMS_FOLDER
        uploads.mkdir(exist_ok=True, mode=0o700)
        self.uploads = Uploads(uploads)
        self._by_id = _read_statuses(root)

    def new_directory(self, now_s: float) -> Path:
        """Make the directory of a new experiment; its name is the id."""
        day = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
        path = self._root / f"exp-{day}-{secrets.token_hex(3)}"
        path.mkdir(mode=0o700)
        return path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a directory beside the experiments' that goes away."""
        path = self._root / f"_scratch-{secrets.token_hex(6)}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            self.drop(path)

    def drop(self, directory: Path) -> None:
        """Remove a directory that is no experiment after all."""
        shutil.rmtree(directory, ignore_errors=True)

    def save(self, status: ExperimentStatus) -> ExperimentStatus:
        """Keep it; the progress stays in the runner's own file.

        Raises:
            DiskFull, StorageError: It is not on disk; what stood before still counts.
        """
        kept = ExperimentStatus(**{**dict(status), "progress": None})
        write_whole(self._root / kept.id / STATUS_FILE, kept.model_dump_json(indent=2).encode())
        self._by_id[kept.id] = kept
        return status

    def remember(self, status: ExperimentStatus) -> None:
        """Let it count although it is not on disk: a restart will not know of it."""
        self._by_id[status.id] = ExperimentStatus(**{**dict(status), "progress": None})

    def find(self, experiment_id: str) -> ExperimentStatus:
        """As it stands now, with the runner's progress. Raises NotFound."""
        status = self._by_id.get(experiment_id)
        if status is None:
            raise NotFound(f"there is no experiment {experiment_id!r}", experiment_id=experiment_id)
        return ExperimentStatus(**{**dict(status), "progress": _read_progress(self._root / status.id / PROGRESS_FILE)})

    def everything(self) -> tuple[ExperimentStatus, ...]:
        """Newest first."""
        newest_first = sorted(self._by_id.values(), key=lambda one: (one.created_at_s, one.id), reverse=True)
        return tuple(self.find(one.id) for one in newest_first)

    def directory(self, experiment_id: str) -> Path:
        """Where its files are. Raises NotFound."""
        return self._root / self.find(experiment_id).id

    def file(self, experiment_id: str, name: ResultFile) -> Path:
        """A result. Raises NotFound; ConflictError: it is not there yet, says in which state the experiment is."""
        status = self.find(experiment_id)
        path = self._root / status.id / name
        if not path.is_file():
            why = f": {status.error}" if status.error else ""
            raise ConflictError(f"experiment {experiment_id!r} has no {name} yet: it is {status.state}{why}")
        return path

    def analysis(self, experiment_id: str) -> Analysis:
        """Raises as `file`."""
        return Analysis.model_validate_json(self.file(experiment_id, "analysis.json").read_bytes())


def _read_statuses(root: Path) -> dict[str, ExperimentStatus]:
    """A status that cannot be read hides its experiment, and no other; the log names it."""
    found: dict[str, ExperimentStatus] = {}
    for path in sorted(root.glob(f"*/{STATUS_FILE}")):
        try:
            status = ExperimentStatus.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            logger.warning("experiment left out", extra={"path": str(path), "reason": type(error).__name__})
        else:
            found[status.id] = status
    return found


def _read_progress(path: Path) -> Progress | None:
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("progress cannot be read", extra={"path": str(path), "reason": type(error).__name__})
        return None
