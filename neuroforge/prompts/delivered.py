"""What of a finished run did not get where it should: a proven prompt unregistered, a run untracked."""

from neuroforge.contracts.optimize import OptimizationResult

NOT_REGISTERED = "proven, but not registered: "
NOT_TRACKED = "not tracked: "


def is_undelivered(result: OptimizationResult) -> bool:
    """Whether another start of the run would try again what failed; by the warnings that `deliver` wrote."""
    return any(one.startswith((NOT_REGISTERED, NOT_TRACKED)) for one in result.warnings)
