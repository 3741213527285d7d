"""What optimisations of prompts ask of the cluster beside their processes: a task that checks one."""

import ray

from cluster.handles import call
from cluster.run_launcher import NO_CPUS, SLOW_TIMEOUT_S, RayLauncher
from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan
from neuroforge.settings import Settings


class RayPromptLauncher(RayLauncher):
    """PromptLauncher on the head node."""

    async def check(self, config: OptimizeConfig) -> OptimizePlan:
        """See PromptLauncher."""
        reference = _remote_check.options(**NO_CPUS).remote(self._settings, config)
        return await call(reference, "the check of a prompt's optimisation", SLOW_TIMEOUT_S)


def _check(settings: Settings, config: OptimizeConfig) -> OptimizePlan:
    from cluster.prompt_work import check_prompt

    return check_prompt(settings, config)


_remote_check = ray.remote(max_retries=0)(_check)
