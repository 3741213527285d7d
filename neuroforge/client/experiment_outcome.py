"""What both clients share of experiments: what is sent, what a finished one is, how one is waited for."""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiments import ExperimentConfig, ExperimentStatus
from neuroforge.contracts.rules import Insight
from neuroforge.errors import ConflictError, EngineTimeout, EngineUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

POLL_S = 1.0
PATIENCE_S = 60.0
"""For so long the gateway may not answer while an experiment is waited for: it goes on without the gateway."""
UNFINISHED = frozenset({"queued", "running"})
OnProgress = Callable[[ExperimentStatus], object]
"""Called with each new status while waiting."""


class Described(Protocol):
    """What `neuroforge.experiments.Experiment` offers."""

    @property
    def config(self) -> ExperimentConfig:
        """What to run."""
        ...

    @property
    def uploads(self) -> Mapping[str, bytes]:
        """Items by SHA-256, to be sent before."""
        ...


@dataclass(frozen=True)
class ExperimentOutcome:
    """A finished experiment; also an `interrupted` one whose budget ended, with what it has."""

    status: ExperimentStatus
    analysis: Analysis

    @property
    def id(self) -> str:
        """For every other call."""
        return self.status.id

    @property
    def summary(self) -> str:
        """In words."""
        return "\n".join(self.analysis.summary)


class Watch:
    """What a wait has seen."""

    def __init__(self, experiment_id: str, on_progress: OnProgress | None, timeout_s: float | None) -> None:
        self._id = experiment_id
        self._on_progress = on_progress
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._silent_since_s: float | None = None
        self._last: ExperimentStatus | None = None

    def saw(self, status: ExperimentStatus) -> bool:
        """Tell about it if it is new; return whether it is the end. Raises EngineTimeout."""
        self._silent_since_s = None
        if self._on_progress is not None and status != self._last:
            self._on_progress(status)
        self._last = status
        if status.state in UNFINISHED and self._deadline_s is not None and time.monotonic() > self._deadline_s:
            raise EngineTimeout(f"experiment {self._id} is still {status.state}; it goes on without you")
        return status.state not in UNFINISHED

    def missed(self, error: EngineUnavailable | EngineTimeout) -> None:
        """Raise the error once it has lasted."""
        now_s = time.monotonic()
        self._silent_since_s = self._silent_since_s or now_s
        if now_s - self._silent_since_s > PATIENCE_S or (self._deadline_s is not None and now_s > self._deadline_s):
            raise error


def config_of(experiment: Described | ExperimentConfig) -> ExperimentConfig:
    """Return what is sent."""
    return experiment if isinstance(experiment, ExperimentConfig) else experiment.config


def uploads_of(experiment: Described | ExperimentConfig) -> Mapping[str, bytes]:
    """Return the items to send before, by SHA-256."""
    return {} if isinstance(experiment, ExperimentConfig) else experiment.uploads


def check_ended_well(status: ExperimentStatus) -> ExperimentStatus:
    """Return the status. Raises ConflictError: there is nothing to read, says what to do."""
    if status.state in {"failed", "cancelled"} | UNFINISHED:
        why = f": {status.error}" if status.error else ""
        hint = "" if status.state in UNFINISHED else f"; go on with: neuroforge experiment resume {status.id}"
        raise ConflictError(f"experiment {status.id} is {status.state}{why}{hint}", experiment_id=status.id)
    return status


def insights_of(results: ExperimentOutcome | Analysis) -> tuple[Insight, ...]:
    """Return what the analysis found."""
    return results.insights if isinstance(results, Analysis) else results.analysis.insights


def form_of(path: str | Path | None) -> str:
    """Return the report's form that the file's name asks for."""
    return "md" if path is not None and Path(path).suffix.lower() in {".md", ".markdown"} else "html"


def write(content: bytes, path: str | Path | None) -> bytes:
    """Return the content, written to the path if there is one."""
    if path is not None:
        Path(path).write_bytes(content)
    return content


def read_table(content: bytes) -> "pa.Table":
    """Decode Parquet."""
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(content))
