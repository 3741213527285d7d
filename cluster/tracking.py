"""Settings -> where finished runs are recorded."""

from neuroforge.contracts.ports_experiments import ExperimentTracker
from neuroforge.settings import Settings
from neuroforge.storage.tracking import MlflowTracker


def open_tracker(settings: Settings) -> ExperimentTracker | None:
    """Return MLflow's; None where it is switched off."""
    tracking = settings.tracking
    return MlflowTracker(tracking.url, settings.storage.home) if tracking.enabled else None
