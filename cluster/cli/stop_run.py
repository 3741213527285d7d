"""Ctrl-C while a run on the server is followed: stop it, and say how to go on."""

from typing import Any, Protocol

import typer

from neuroforge.errors import ConflictError

WAIT_S = 30.0


class Runs(Protocol):
    """The client's part for one kind of runs."""

    def cancel(self, run_id: str, /) -> Any:
        """Ask it to stop. Raises ConflictError: it has ended."""
        ...

    def wait(self, run_id: str, /, *, timeout_s: float) -> Any:
        """Return when it has ended."""
        ...


def stop_run(runs: Runs, run_id: str, resume: str) -> None:
    """Return when it has stopped.

    Args:
        resume: The command that goes on with it, up to its id.
    """
    typer.echo("stopping; what is answered is kept ...", err=True)
    try:
        runs.cancel(run_id)
        runs.wait(run_id, timeout_s=WAIT_S)
    except ConflictError as error:  # it ended in the same moment
        typer.echo(error.message, err=True)
    typer.echo(f"go on with: {resume} {run_id}", err=True)
