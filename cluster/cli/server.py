"""`serve`, `dev`, `stop`, `status`: the server's own life."""

import time
from typing import TYPE_CHECKING

import typer

from cluster.cli.output import age_text, bytes_text, print_json, print_table
from cluster.cli.shared import ConfigOption, JsonOption, Shared, shared

if TYPE_CHECKING:
    from pathlib import Path

    from neuroforge.contracts.gateway import GatewayStatus
    from neuroforge.contracts.models import ModelStatus
    from neuroforge.contracts.server import RunState

STATUS_TIMEOUT_S = 5.0


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
    with options.client(timeout_s=STATUS_TIMEOUT_S) as client:
        try:
            found = client.status()
        except (EngineUnavailable, EngineTimeout) as error:
            _print_absence(url, error.message, as_json)
            raise typer.Exit(1) from error
    state = options.run_state()
    own = state if state is not None and state.base_url.removesuffix("/v1") == url else None
    if as_json:
        print_json({"is_running": True, "base_url": f"{url}/v1", "process": own, **found.model_dump(mode="json")})
        return
    _print_server(url, found, own)
    print_table(MODEL_COLUMNS, [model_row(one, time.time()) for one in found.models], empty="no models")


def _print_absence(url: str, reason: str, as_json: bool) -> None:
    if as_json:
        print_json({"is_running": False, "base_url": f"{url}/v1", "reason": reason})
    else:
        typer.echo(f"not running: {reason}\n  start it with `neuroforge serve`")


def _print_server(url: str, found: "GatewayStatus", own: "RunState | None") -> None:
    missing = ", ".join(f"{one.id} {one.state}" for one in found.missing)
    word = "ready" if found.is_ready else f"starting ({missing})"
    typer.echo(f"NeuroForge {found.version} is {word}, up {age_text(0.0, found.uptime_s)}")
    typer.echo(f"  endpoint   {url}/v1")
    if dashboard_url := found.dashboard_url or (own.dashboard_url if own is not None else None):
        typer.echo(f"  dashboard  {dashboard_url}")
    keys = f"{found.n_keys} live" if found.n_keys else "none: only this machine may call"
    typer.echo(f"  keys       {keys}")
    if found.n_audit_dropped:
        typer.echo(f"  audit      {found.n_audit_dropped} events were dropped")
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
