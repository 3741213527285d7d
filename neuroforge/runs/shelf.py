"""Runs of one kind, each in a directory of its own, found again after a restart. One writer: the desk."""

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from neuroforge.contracts.base import Contract
from neuroforge.contracts.runs import FilePiece, FileSize, RunStatus
from neuroforge.errors import ConflictError, NotFound
from neuroforge.storage.files import write_whole

logger = logging.getLogger(__name__)
STATUS_FILE = "status.json"
PROGRESS_FILE = "progress.json"
UNFINISHED = frozenset({"queued", "running"})
S = TypeVar("S", bound=RunStatus)


@dataclass(frozen=True)
class RunKind(Generic[S]):
    """What tells one kind of runs from another."""

    noun: str
    """For people, such as `experiment`."""
    prefix: str
    """Ids begin so."""
    status: type[S]
    """With a field `progress`, which is read from the process's own file."""
    progress: type[Contract]
    resume: str
    """The command that goes on with one, up to its id."""


class RunShelf(Generic[S]):
    """Statuses by id, kept in memory and on disk."""

    def __init__(self, root: Path, kind: RunKind[S]) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kind = kind
        self._root = root
        for abandoned in root.glob("_scratch-*"):
            self.drop(abandoned)
        self._by_id = self._read_statuses()

    def new_directory(self, now_s: float, key: str) -> Path:
        """Make the directory of a new run; its name is the id. One of the same key never became a run."""
        for abandoned in self._root.glob(f"{self.kind.prefix}-*-{key}"):
            self.drop(abandoned)
        day = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
        path = self._root / f"{self.kind.prefix}-{day}-{key}"
        path.mkdir(mode=0o700)
        return path

    def find_by_key(self, key: str) -> S | None:
        """The run that was started under this key."""
        return next((self.find(one) for one in self._by_id if one.endswith(f"-{key}")), None)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a directory beside the runs' that goes away."""
        path = self._root / f"_scratch-{secrets.token_hex(6)}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            self.drop(path)

    def drop(self, directory: Path) -> None:
        """Remove a directory that is no run after all."""
        shutil.rmtree(directory, ignore_errors=True)

    def save(self, status: S) -> S:
        """Keep it; the progress stays in the process's own file.

        Raises:
            DiskFull, StorageError: It is not on disk; what stood before still counts.
        """
        kept = self._with_progress(status, None)
        write_whole(self._root / kept.id / STATUS_FILE, kept.model_dump_json(indent=2).encode())
        self._by_id[kept.id] = kept
        return status

    def remember(self, status: S) -> None:
        """Let it count although it is not on disk: a restart will not know of it."""
        self._by_id[status.id] = self._with_progress(status, None)

    def find(self, run_id: str) -> S:
        """As it stands now, with its progress. Raises NotFound."""
        status = self._by_id.get(run_id)
        if status is None:
            raise NotFound(f"there is no {self.kind.noun} {run_id!r}", run_id=run_id)
        return self._with_progress(status, self._read_progress(self._root / status.id / PROGRESS_FILE))

    def everything(self) -> tuple[S, ...]:
        """Newest first."""
        newest_first = sorted(self._by_id.values(), key=lambda one: (one.created_at_s, one.id), reverse=True)
        return tuple(self.find(one.id) for one in newest_first)

    def directory(self, run_id: str) -> Path:
        """Where its files are. Raises NotFound."""
        return self._root / self.find(run_id).id

    def file(self, run_id: str, name: str) -> Path:
        """A result. Raises NotFound; ConflictError: it is not there yet, says in which state the run is."""
        status = self.find(run_id)
        path = self._root / status.id / name
        if not path.is_file():
            why = f": {status.error}" if status.error else ""
            raise ConflictError(f"{self.kind.noun} {run_id!r} has no {name} yet: it is {status.state}{why}")
        return path

    def find_file(self, run_id: str, name: str) -> FileSize:
        """How large a result is. Raises as `file`."""
        return _size_of(self.file(run_id, name).stat())

    def read_file(self, run_id: str, name: str, piece: FilePiece) -> bytes:
        """At most so many bytes of a result; empty at the end. Raises as `file`; ConflictError: it was written anew."""
        with self.file(run_id, name).open("rb") as file:
            if _size_of(os.fstat(file.fileno())).version != piece.version:
                raise ConflictError(
                    f"{name} of {self.kind.noun} {run_id!r} was written anew while it was read: get it again"
                )
            file.seek(piece.offset)
            return file.read(piece.n_bytes)

    def _with_progress(self, status: S, progress: Contract | None) -> S:
        return self.kind.status(**{**dict(status), "progress": progress})

    def _read_statuses(self) -> dict[str, S]:
        """A status that cannot be read hides its run, and no other; the log names it."""
        found: dict[str, S] = {}
        for path in sorted(self._root.glob(f"*/{STATUS_FILE}")):
            try:
                status = self.kind.status.model_validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                logger.warning("a run is left out", extra={"path": str(path), "reason": type(error).__name__})
            else:
                found[status.id] = status
        return found

    def _read_progress(self, path: Path) -> Contract | None:
        try:
            return self.kind.progress.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            logger.warning("progress cannot be read", extra={"path": str(path), "reason": type(error).__name__})
            return None


def _size_of(found: os.stat_result) -> FileSize:
    """Results are put in place in one step, each as a file of its own, so that another file is another version."""
    return FileSize(n_bytes=found.st_size, version=f"{found.st_ino:x}-{found.st_mtime_ns:x}")
