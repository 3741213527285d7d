"""`models list|show|pull|rm`: the files on this machine."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.output import bytes_text, print_json, print_table
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from neuroforge.assets.store import AssetStore

NameArgument = Annotated[str, typer.Argument(help="Name, as `models list` shows it.")]
LIST_COLUMNS = ("NAME", "KIND", "HERE", "SIZE", "LICENCE", "FROM")


def add_commands(app: typer.Typer) -> None:
    """Put the four commands into the group."""
    app.command("list")(list_assets)
    app.command("show")(show)
    app.command("pull")(pull)
    app.command("rm")(remove)


def open_assets(options: Shared) -> "AssetStore":
    """Return the store of this home."""
    from neuroforge.assets.store import AssetStore

    return AssetStore(options.home())


def list_assets(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the catalog and your own models, and which of them are on this machine."""
    statuses = open_assets(shared(context)).statuses()
    if as_json:
        print_json(statuses)
        return
    rows = [
        (
            one.name,
            one.kind,
            "yes" if one.is_present else "no",
            bytes_text(one.n_bytes),
            one.licence,
            "you" if one.is_user_added else "catalog",
        )
        for one in statuses
    ]
    print_table(LIST_COLUMNS, rows, empty="the catalog is empty")


def show(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Show where a model comes from, its licence and hashes, and, once it is here, what its header says."""
    store = open_assets(shared(context))
    entry, status = store.entry(name), store.status(name)
    facts = store.facts(name) if status.is_present and entry.kind == "model" else None
    if as_json:
        print_json({"entry": entry, "status": status, "facts": facts})
        return
    from neuroforge.assets.fetch import describe_source

    typer.echo(f"{entry.name}  ({entry.kind}, {entry.licence})\n{entry.description}".rstrip())
    typer.echo(f"  here    {status.path or 'no: neuroforge models pull ' + entry.name}")
    for file in entry.files:
        typer.echo(f"  file    {file.name}, {bytes_text(file.n_bytes)}, SHA-256 {file.sha256 or 'pinned on first use'}")
        for source in file.sources:
            typer.echo(f"  source  {describe_source(source)}")
    for key, value in _told(facts):
        typer.echo(f"  {key:<22}{value}")


def _told(facts: Any) -> list[tuple[str, str]]:
    if facts is None:
        return []
    return [(name, str(value)) for name, value in facts.model_dump(exclude_none=True).items()]


def pull(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Names; without one, all that the settings need.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Download, verify and place models; goes on where an earlier pull stopped."""
    from rich.console import Console

    from cluster.prepare import ProgressBars

    options = shared(context)
    store = open_assets(options)
    with nullcontext() if as_json else ProgressBars(Console(stderr=True)) as report:
        paths = {name: str(store.ensure(name, report)) for name in names or configured_assets(options)}
    if as_json:
        print_json([{"name": name, "path": path} for name, path in paths.items()])
        return
    for name, path in paths.items():
        typer.echo(f"{name}: {path}")


def configured_assets(options: Shared) -> list[str]:
    """Return all that the settings name, preloaded or not: models that are files of the catalog, and the embedder."""
    settings = options.settings()
    models = [model.asset_name for model in settings.models if model.asset_name is not None]
    return list(dict.fromkeys([*models, settings.router.embedder]))


def remove(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="Names, as `models list` shows them.")],
    as_json: JsonOption = False,
) -> None:
    """Delete models from this machine; one that you added is forgotten too."""
    store = open_assets(shared(context))
    freed = {name: store.remove(name) for name in names}
    if as_json:
        print_json([{"name": name, "freed_bytes": n_bytes} for name, n_bytes in freed.items()])
        return
    for name, n_bytes in freed.items():
        typer.echo(f"{name}: removed, {bytes_text(n_bytes)} given back")
