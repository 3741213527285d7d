"""What both clients share of experiments: what is sent, what a finished one is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiments import ExperimentConfig, ExperimentStatus
from neuroforge.contracts.rules import Insight

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


def config_of(experiment: Described | ExperimentConfig) -> ExperimentConfig:
    """Return what is sent."""
    return experiment if isinstance(experiment, ExperimentConfig) else experiment.config


def uploads_of(experiment: Described | ExperimentConfig) -> Mapping[str, bytes]:
    """Return the items to send before, by SHA-256."""
    return {} if isinstance(experiment, ExperimentConfig) else experiment.uploads


def insights_of(results: ExperimentOutcome | Analysis) -> tuple[Insight, ...]:
    """Return what the analysis found."""
    return results.insights if isinstance(results, Analysis) else results.analysis.insights


def form_of(path: str | Path | None) -> str:
    """Return the report's form that the file's name asks for."""
    return "md" if path is not None and Path(path).suffix.lower() in {".md", ".markdown"} else "html"
