"""Optimisations of prompts that run on the server: where one stands, and what can be read of it."""

from typing import Literal

from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.runs import RunStatus

PromptRunFile = Literal["result.json", "report.html", "candidates.parquet", "evaluations.parquet"]
"""What can be read of an optimisation, as its directory names it."""


class PromptRunStatus(RunStatus):
    """Where an optimisation stands."""

    config: OptimizeConfig
    """Items that came with it are named by their digest: they are kept as an upload."""
    progress: OptimizeProgress | None = None
    plan: OptimizePlan | None = None
