"""`keys create|list|revoke`: through the running server, or on the database before the first start."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table, time_text
from cluster.cli.shared import JsonOption, OfflineOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.keys import KeyView

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)
COLUMNS = ("ID", "NAME", "SCOPES", "MODELS", "REQ/MIN", "TOK/MIN", "CREATED", "REVOKED")
ADMIN_REMEDY = "make one: neuroforge keys create NAME --scope admin --offline"
SCOPES = ("inference", "admin")


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Whose key it is.")] = None,
    name_option: Annotated[str | None, typer.Option("--name", help="The same, as an option.")] = None,
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="inference or admin; may be repeated. Default: inference.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help="A model that the key may use; may be repeated. Default: all.")
    ] = None,
    requests_per_minute: Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option("--tpm", min=1, help="Tokens a minute.")] = None,
    is_offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print its secret, this once."""
    owner = name or name_option
    if not owner:
        raise typer.BadParameter("say whose key it is", param_hint="NAME")
    wanted = scopes or ["inference"]
    if unknown := sorted(set(wanted) - set(SCOPES)):
        raise typer.BadParameter(f"{unknown[0]!r} is not a scope; allowed: {', '.join(SCOPES)}", param_hint="--scope")
    from cluster.cli.operator import open_desk
    from neuroforge.contracts.keys import KeySpec

    spec = KeySpec.model_validate(
        {
            "name": owner,
            "scopes": wanted,
            "allowed_models": models or None,
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
        }
    )
    with open_desk(shared(context), is_offline) as desk:
        is_administrable = "admin" in wanted or any(_is_live_admin(key) for key in desk.list_keys())
        created = desk.create_key(spec)
    if as_json:
        print_json({"id": created.key.id, "secret": created.secret, "spec": created.key.spec})
        return
    typer.echo(created.secret)
    typer.echo(f"key {created.key.id} for {owner}: keep the secret above, it is not shown again", err=True)
    if not is_administrable:
        typer.echo("from now on every call needs a key, and none has the scope admin yet; " + ADMIN_REMEDY, err=True)


@app.command("list")
def list_keys(context: typer.Context, is_offline: OfflineOption = False, as_json: JsonOption = False) -> None:
    """List all keys, revoked ones too; secrets are not stored and cannot be shown."""
    from cluster.cli.operator import open_desk

    with open_desk(shared(context), is_offline) as desk:
        keys = desk.list_keys()
    if as_json:
        print_json(keys)
    else:
        print_table(COLUMNS, [_row(key) for key in keys], empty="no keys; make one with `neuroforge keys create NAME`")


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The id that `keys list` shows.")],
    is_offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key useless from now on."""
    from cluster.cli.operator import open_desk

    with open_desk(shared(context), is_offline) as desk:
        key = desk.revoke_key(key_id)
    if as_json:
        print_json(key)
    else:
        typer.echo(f"revoked {key.id} ({key.spec.name})")


def _is_live_admin(key: "KeyView") -> bool:
    return key.revoked_at_s is None and "admin" in key.spec.scopes


def _row(key: "KeyView") -> tuple[str, ...]:
    spec = key.spec
    return (
        key.id,
        spec.name,
        ",".join(sorted(spec.scopes)),
        ",".join(sorted(spec.allowed_models)) if spec.allowed_models is not None else "all",
        str(spec.requests_per_minute or "-"),
        str(spec.tokens_per_minute or "-"),
        time_text(key.created_at_s),
        time_text(key.revoked_at_s),
    )
