"""`serve`, `dev`, `stop`, `status`: the server's own life."""

import time
from typing import TYPE_CHECKING, Any

import typer

from cluster.cli.output import age_text, bytes_text, print_json, print_table
from cluster.cli.shared import ConfigOption, JsonOption, Shared, shared

if TYPE_CHECKING:
    from pathlib import Path

    from neuroforge.client import Client
    from neuroforge.contracts.models import ModelStatus


def add_commands(app: typer.Typer) -> None:
    """Put the four commands into the tree."""
    app.command("serve")(serve)
    app.command("dev")(dev)
    app.command("stop")(stop)
    app.command("status")(status)


def serve(context: typer.Context, config_path: ConfigOption = None) -> None:
    """Start Ray, the gateway and the models; Ctrl-C drains and stops them."""
    _run(shared(context), config_path, reload=False)


def dev(context: typer.Context, config_path: ConfigOption = None) -> None:
    """As serve, and apply the settings file again whenever it changes."""
    _run(shared(context), config_path, reload=True)


def _run(options: Shared, config_path: "Path | None", reload: bool) -> None:
    settings = options.settings(config_path)
    from cluster.serve import run_serve  # starts the imports that take seconds: after the settings are known to be good

    found = options.config_path(config_path)
    raise typer.Exit(run_serve(settings, found, typer.echo, reload=reload))


def stop(context: typer.Context, as_json: JsonOption = False) -> None:
    """Stop the server of this home, wherever it was started from."""
    from cluster.serve import stop_serve

    was_running = stop_serve(shared(context).home())
    if as_json:
        print_json({"stopped": was_running})
    else:
        typer.echo("stopped" if was_running else "nothing was running")


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the server and its models; exit code 1 when nothing answers."""
    from neuroforge.errors import EngineTimeout, EngineUnavailable

    options = shared(context)
    url = options.server_url()
    with options.client(timeout_s=5.0) as client:
        try:
            models = client.models()
        except (EngineUnavailable, EngineTimeout) as error:
            _print_absence(url, error.message, as_json)
            raise typer.Exit(1) from error
        facts = _facts(options, url, client)
    if as_json:
        print_json({**facts, "models": models})
        return
    _print_facts(facts)
    print_table(MODEL_COLUMNS, [model_row(one, time.time()) for one in models], empty="no models")


def _print_absence(url: str, reason: str, as_json: bool) -> None:
    if as_json:
        print_json({"is_running": False, "base_url": url, "reason": reason})
    else:
        typer.echo(f"not running: {reason}\n  start it with `neuroforge serve`")


def _facts(options: Shared, url: str, client: "Client") -> dict[str, Any]:
    state = options.run_state()
    is_ours = state is not None and state.base_url.removesuffix("/v1") == url
    return {
        "is_running": True,
        "is_ready": client.is_ready(),
        "base_url": f"{url}/v1",
        "dashboard_url": state.dashboard_url if state is not None and is_ours else None,
        "pid": state.pid if state is not None and is_ours else None,
        "started_at_s": state.started_at_s if state is not None and is_ours else None,
        "server": client.status(),
    }


def _print_facts(facts: dict[str, Any]) -> None:
    word = "ready" if facts["is_ready"] else "starting"
    uptime = f", up {age_text(facts['started_at_s'], time.time())}" if facts["started_at_s"] else ""
    typer.echo(f"NeuroForge is {word}{uptime}")
    typer.echo(f"  endpoint   {facts['base_url']}")
    if facts["dashboard_url"]:
        typer.echo(f"  dashboard  {facts['dashboard_url']}")
    typer.echo("")


MODEL_COLUMNS = (
    "MODEL",
    "STATE",
    "REPLICAS",
    "SLOTS",
    "QUEUED",
    "MEMORY",
    "CONTEXT",
    "TOK/S",
    "USED",
    "ENGINE",
    "ERROR",
)


def model_row(model: "ModelStatus", now_s: float) -> tuple[str, ...]:
    """Return the cells of one model; `-` where the engine is silent."""
    stats = model.stats
    return (
        model.id,
        model.state.value,
        str(model.n_replicas),
        f"{stats.slots_busy}/{stats.slots_total}" if stats else "-",
        str(stats.queued) if stats else "-",
        bytes_text(stats.resident_bytes) if stats else "-",
        str(model.context_length or "-"),
        f"{1 / stats.s_per_token:.1f}" if stats and stats.s_per_token else "-",
        age_text(model.last_used_s, now_s),
        model.engine.value,
        model.error or "",
    )
