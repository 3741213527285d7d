"""`models add`: your own file, a hub repository, a URL, or a model on another server."""

import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.models_assets import open_assets
from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, Shared, shared

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._-]+")


def add_commands(app: typer.Typer) -> None:
    """Put the command into the group."""
    app.command("add")(add)


def add(
    context: typer.Context,
    origin: Annotated[
        str, typer.Argument(help="PATH, hf:owner/repo[:file] or URL; with --upstream the model's name there.")
    ],
    upstream: Annotated[
        str | None, typer.Option("--upstream", help="Base URL of an OpenAI-compatible server, up to its /v1.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option("--api-key-env", help="With --upstream: environment variable that holds its key.")
    ] = None,
    model_id: Annotated[
        str | None, typer.Option("--id", "--name", help="Name here; else made from the origin.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Licence to note down.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a model of your own to the settings file; `neuroforge apply` puts it into effect."""
    options = shared(context)
    if upstream is not None:
        entry = upstream_entry(origin, upstream, api_key_env, model_id)
        path = write_entry(options, entry)
    else:
        if api_key_env is not None:
            raise typer.BadParameter("only with --upstream", param_hint="--api-key-env")
        entry, path = _add_asset(options, origin, model_id, licence)
    _report(entry, path, as_json)


def upstream_entry(name: str, base_url: str, api_key_env: str | None, model_id: str | None) -> dict[str, Any]:
    """Return the settings entry of a model on another server.

    Raises:
        ConfigError: The URL or the id cannot be used.
    """
    wanted = model_id or _NOT_IN_ID.sub("-", name).strip("-._")
    elsewhere: dict[str, Any] = {"base_url": base_url}
    if wanted != name:
        elsewhere["model"] = name
    if api_key_env is not None:
        elsewhere["api_key_env"] = api_key_env
    return {"id": wanted, "engine": "openai_http", "upstream": elsewhere}


def _add_asset(
    options: Shared, origin: str, model_id: str | None, licence: str | None
) -> tuple[dict[str, Any], Path | None]:
    from neuroforge.errors import NeuroForgeError

    store = open_assets(options)
    asset = store.add(origin, model_id, licence)
    try:
        entry: dict[str, Any] = {"id": asset.name}
        if any(file.name.endswith(".safetensors") for file in asset.files):
            entry["engine"] = "vllm"  # llama.cpp reads GGUF only
        if Path(origin).expanduser().exists():
            store.ensure(asset.name)  # a file of this machine is linked at once, so that its header can be read
            trained_for = store.facts(asset.name).context_length
            if trained_for is not None and trained_for < _default_context_length():
                entry["context_length"] = trained_for
        return entry, write_entry(options, entry)
    except NeuroForgeError:
        store.remove(asset.name)  # half an addition would stand in the way of the next try
        raise


def _default_context_length() -> int:
    from neuroforge.contracts.models import ModelSpec

    return int(ModelSpec.model_fields["context_length"].default)


def write_entry(options: Shared, entry: dict[str, Any]) -> Path | None:
    """Add the entry to the settings file and return which; None when the file cannot be changed safely.

    Raises:
        ConfigError: The id is there already, or the result would not be valid settings.
    """
    from cluster.cli.config_edit import add_model
    from neuroforge.errors import ConfigError
    from neuroforge.settings import DEFAULT_MODELS, settings_from_tree

    path = options.config_path() or options.home() / "neuroforge.yaml"
    settings_from_tree({"models": [entry]}, source=f"the new entry {entry['id']!r}")
    defaults = [one.model_dump(mode="json", exclude_defaults=True) for one in DEFAULT_MODELS]
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text = add_model(before, entry, defaults)
        if text is None:
            return None
        _replace_text(path, text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be changed: {error}") from error
    return path


def _replace_text(path: Path, text: str) -> None:
    target = path.resolve()  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".neuroforge-yaml-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _report(entry: dict[str, Any], path: Path | None, as_json: bool) -> None:
    from cluster.cli.config_edit import INDENT, entries_text

    if as_json:
        print_json({"entry": entry, "written_to": str(path) if path is not None else None})
    elif path is not None:
        typer.echo(f"added {entry['id']} to {path}; put it into effect with `neuroforge apply`")
    else:
        typer.echo("the settings file is not written in a way that can be changed safely; add this to its `models`:\n")
        typer.echo(entries_text([entry], INDENT), nl=False)
