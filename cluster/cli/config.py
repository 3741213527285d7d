"""`config show|validate|init|serve`: the settings tree and the Serve configuration made from it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import ConfigOption, JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.settings import Settings

app = typer.Typer(help="Show, check and create the settings.", no_args_is_help=True)
HIDDEN = "********"
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+@")
_SECRET_NAME = re.compile(r"(?i)(secret|password|passwd|token|api_?key|credential)s?$")


@app.command()
def show(context: typer.Context, config_path: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the effective settings, with secrets hidden."""
    options = shared(context)
    tree = effective_tree(options.settings(config_path))
    if as_json:
        print_json(tree)
        return
    found = options.config_path(config_path)
    typer.echo(f"# from {found}" if found else "# defaults and environment; no settings file was found")
    typer.echo(yaml_text(tree), nl=False)


@app.command()
def validate(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Settings file; else the one in use.", dir_okay=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a settings file; exit code 1 names every key that is wrong."""
    from neuroforge.errors import ConfigError

    options = shared(context)
    found = options.config_path(file)
    name = str(found) if found else "defaults and environment"
    try:
        settings = options.settings(file)
    except ConfigError as error:
        name = error.context.get("source", name)
        if as_json:
            print_json({"is_valid": False, "source": name, "problems": error.context.get("problems", [error.message])})
        else:
            typer.echo(
                "\n  ".join([f"{name} is not valid:", *error.context.get("problems", [error.message])]), err=True
            )
        raise typer.Exit(1) from error
    ids = [model.id for model in settings.models]
    if as_json:
        print_json({"is_valid": True, "source": name, "problems": [], "models": ids})
    else:
        typer.echo(f"{name} is valid: {len(ids)} models ({', '.join(ids)})")


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write.", dir_okay=False)] = Path("neuroforge.yaml"),
    is_forced: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a settings file with the defaults and a comment for every key."""
    text = template_text()
    try:
        with file.open("w" if is_forced else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        typer.echo(f"error: {file} exists\n  choose another name, or replace it with --force", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"error: {file}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"wrote {file}")


@app.command("serve")
def print_serve_config(context: typer.Context, config_path: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the configuration that `serve deploy` takes."""
    settings = shared(context).settings(config_path)
    from cluster.environment import QUIET, apply_environment

    apply_environment(QUIET)
    from cluster.app import serve_config  # imports Ray: seconds

    tree = serve_config(settings)
    if as_json:
        print_json(tree)
    else:
        typer.echo(yaml_text(tree), nl=False)


def effective_tree(settings: "Settings") -> dict[str, Any]:
    """Return the settings as plain values, secrets replaced: passwords in URLs, and options with a secret's name."""
    tree: dict[str, Any] = _without_secrets(settings.model_dump(mode="json"))
    return tree


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(one, str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if isinstance(value, str):
        if _SECRET_NAME.search(name):
            return HIDDEN
        return _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", value)
    return value


def yaml_text(tree: Any) -> str:
    """Return YAML in the order given."""
    import yaml

    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return text


def template_text() -> str:
    """Return the commented settings file with the defaults."""
    return Path(__file__).with_name("template.yaml").read_text(encoding="utf-8")
