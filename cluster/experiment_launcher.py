"""What experiments ask of the cluster beside their processes: tasks for what takes a while."""

from pathlib import Path

import ray

from cluster.handles import call
from cluster.run_launcher import NO_CPUS, SLOW_TIMEOUT_S, RayLauncher
from neuroforge.contracts.analysis import ExperimentComparison
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig
from neuroforge.settings import Settings


class RayExperimentLauncher(RayLauncher):
    """ExperimentLauncher on the head node."""

    async def check(self, config: ExperimentConfig, directory: Path) -> CostEstimate:
        """See ExperimentLauncher."""
        reference = _remote_check.options(**NO_CPUS).remote(self._settings, config, directory)
        return await call(reference, "the check of an experiment", SLOW_TIMEOUT_S)

    async def compare(self, first: Path, second: Path) -> ExperimentComparison:
        """See ExperimentReports; of two directories."""
        reference = _remote_compare.options(**NO_CPUS).remote(first, second)
        return await call(reference, "the comparison of two experiments", SLOW_TIMEOUT_S)


def _check(settings: Settings, config: ExperimentConfig, directory: Path) -> CostEstimate:
    from cluster.experiment_work import check_experiment

    return check_experiment(settings, config, directory)


def _compare(first: Path, second: Path) -> ExperimentComparison:
    from neuroforge.experiments.compare_runs import compare_runs

    return compare_runs(first, second)


_remote_check = ray.remote(max_retries=0)(_check)
_remote_compare = ray.remote(max_retries=0)(_compare)
