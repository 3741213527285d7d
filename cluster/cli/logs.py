"""`logs`: what the gateway, the controllers and the models wrote, from Ray's session directory."""

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.shared import JsonOption, Shared, shared


def logs(
    context: typer.Context,
    model_id: Annotated[str | None, typer.Argument(help="Only this model; else gateway, controllers and all.")] = None,
    is_following: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    n_lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each file.")] = 20,
    session: Annotated[
        Path | None,
        typer.Option("--session", help="Ray session directory; else that of the server here.", file_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last log lines; with --follow also those to come. --json prints one object a line."""
    from cluster.cli.logfiles import LogReader, find_log_files

    options = shared(context)
    directory = session or find_session(options)
    known = [model.id for model in options.settings().models]
    reader = LogReader(lambda: find_log_files(directory, model_id, known))
    _print(reader.tail(n_lines), as_json)
    if not reader.sources and not is_following:
        what = f"model {model_id!r}" if model_id else "anything"
        typer.echo(f"error: no log of {what} in {directory}\n  see `neuroforge models ps`", err=True)
        raise typer.Exit(1)
    try:
        while is_following:
            time.sleep(0.5)
            _print(reader.read_new(), as_json)
    except KeyboardInterrupt:
        return


def find_session(options: Shared) -> Path:
    """Return the session directory of the running or last crashed server, else Ray's newest on this machine.

    Raises:
        NotFound: There is none.
    """
    from cluster.run_state import read_run_state
    from neuroforge.errors import NotFound

    state = read_run_state(options.home())
    if state is not None and state.session_dir is not None and Path(state.session_dir).is_dir():
        return Path(state.session_dir)
    newest = Path(tempfile.gettempdir()) / "ray" / "session_latest"
    if not newest.is_dir():
        raise NotFound("no server runs here and Ray left no session directory; name one with --session DIR")
    typer.echo(f"no server runs here; showing Ray's last session {newest.resolve()}", err=True)
    return newest


def _print(lines: list[tuple[str, str]], as_json: bool) -> None:
    for source, line in lines:
        typer.echo(json.dumps({"source": source, "line": line}) if as_json else f"{source} | {line}")
