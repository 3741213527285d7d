"""Before an optimisation begins: what it would take is shown, and somebody agrees."""

from typing import TYPE_CHECKING, NamedTuple

import typer

from cluster.cli.optimize_progress import print_plan
from cluster.cli.output import print_json

if TYPE_CHECKING:
    from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan


class Ways(NamedTuple):
    """How the command is to go about it."""

    allow_unsandboxed: bool
    is_dry: bool
    is_sure: bool
    is_detached: bool
    as_json: bool


def is_agreed(config: "OptimizeConfig", plan: "OptimizePlan", ways: Ways, is_begun: bool = False) -> bool:
    """Show the plan and return whether to start; one that was begun before goes on without a question.

    Raises:
        typer.Exit: The answer was no.
    """
    if ways.is_dry and ways.as_json:
        print_json({"config": config, "plan": plan})
        return False
    print_plan(plan, to_stderr=ways.as_json)
    if ways.is_dry:
        return False
    if not (is_begun or ways.is_sure or ways.as_json) and not typer.confirm("start it?", default=True):
        raise typer.Exit(1)
    return True
