"""ExperimentConfig -> notes on what it spends that neither its budget limits nor its estimate counts."""

from neuroforge.contracts.experiments import Budget, ExperimentConfig


def not_within_budget(config: ExperimentConfig) -> tuple[str, ...]:
    """Return a note for status and report; empty where there is no budget, or nothing passes it by."""
    if config.judge is None or config.budget == Budget():
        return ()
    return (f"judge calls are not within the budget: it limits what the contestants take, not {config.judge.model_id}",)


def not_in_estimate(config: ExperimentConfig) -> tuple[str, ...]:
    """Return notes for the estimate: what it leaves out."""
    if config.judge is None:
        return ()
    return (f"judge calls ({config.judge.model_id}) are not in this estimate", *not_within_budget(config))
