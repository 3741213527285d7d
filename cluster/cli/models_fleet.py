"""`models ps|load|unload|scale`: what the running fleet holds."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.server import MODEL_COLUMNS, model_row
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neuroforge.client import Client
    from neuroforge.contracts.models import ModelStatus

ModelArgument = Annotated[str, typer.Argument(help="Model id, as `models ps` shows it.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when it is done.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.1, help="With --wait: seconds until giving up.")]
POLL_S = 0.5
IN_MOTION = ("loading", "unloading")


def add_commands(app: typer.Typer) -> None:
    """Put the four commands into the group."""
    app.command("ps")(ps)
    app.command("load")(load)
    app.command("unload")(unload)
    app.command("scale")(scale)


def ps(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models of the running server."""
    with shared(context).client() as client:
        models = client.models()
    if as_json:
        print_json(models)
    else:
        print_table(MODEL_COLUMNS, [model_row(one, time.time()) for one in models], empty="no models")


def load(
    context: typer.Context,
    model_id: ModelArgument,
    is_waiting: WaitOption = False,
    timeout_s: TimeoutOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Load a model of the settings, or one of the catalog as it is."""
    options = shared(context)
    with options.client() as client:
        model = _load(client, model_id, options.home())
        if is_waiting:
            model = wait_for(client, model_id, "ready", timeout_s)
    _print_status(model, as_json)


def _load(client: "Client", model_id: str, home: "Path") -> "ModelStatus":
    from neuroforge.errors import ModelNotFound

    try:
        return client.load(model_id)
    except ModelNotFound:
        from neuroforge.assets.store import AssetStore
        from neuroforge.contracts.models import ModelSpec

        known = {one.name for one in AssetStore(home).statuses() if one.kind == "model"}
        if model_id not in known:
            raise
        return client.load(model_id, ModelSpec(id=model_id))


def unload(
    context: typer.Context,
    model_id: ModelArgument,
    is_waiting: WaitOption = False,
    timeout_s: TimeoutOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Unload a model and give its memory back."""
    with shared(context).client() as client:
        model = client.unload(model_id)
        if is_waiting:
            model = wait_for(client, model_id, "unloaded", timeout_s)
    _print_status(model, as_json)


def scale(
    context: typer.Context,
    model_id: ModelArgument,
    most: Annotated[int, typer.Option("--max", min=1, help="Most replicas.")],
    fewest: Annotated[
        int | None,
        typer.Option("--min", min=0, help="Fewest replicas; 0 lets it leave memory when idle. Default: --max."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change how many replicas of a model may run."""
    least = most if fewest is None else fewest
    if least > most:
        raise typer.BadParameter(f"{least} is above --max {most}", param_hint="--min")
    from neuroforge.contracts.models import ReplicaRange

    with shared(context).client() as client:
        model = client.scale(model_id, ReplicaRange(min=least, max=most))
    _print_status(model, as_json)


def wait_for(
    client: "Client",
    model_id: str,
    state: str,
    timeout_s: float,
    sleep: "Callable[[float], None]" = time.sleep,
    now_s: "Callable[[], float]" = time.monotonic,
) -> "ModelStatus":
    """Return the model's status when it is in the state, or, waiting for `ready`, when loading failed.

    Raises:
        ModelNotFound: It is no longer known.
        EngineTimeout: Neither within `timeout_s`.
    """
    from neuroforge.errors import EngineTimeout, ModelNotFound

    deadline_s = now_s() + timeout_s
    while True:
        model = next((one for one in client.models() if one.id == model_id), None)
        if model is None:
            raise ModelNotFound(f"{model_id} is no longer known to the server", model_id=model_id)
        has_failed = state == "ready" and model.state.value == "failed" and model.error is not None
        if model.state.value == state or has_failed:
            return model
        if now_s() >= deadline_s:
            raise EngineTimeout(f"{model_id} is still {model.state.value} after {timeout_s:g} s", model_id=model_id)
        sleep(POLL_S)


def _print_status(model: "ModelStatus", as_json: bool) -> None:
    if as_json:
        print_json(model)
    elif model.error:
        typer.echo(f"error: {model.id} is {model.state.value}: {model.error}", err=True)
    else:
        typer.echo(f"{model.id} is {model.state.value}" + (" ..." if model.state.value in IN_MOTION else ""))
    if model.state.value == "failed":
        raise typer.Exit(1)
