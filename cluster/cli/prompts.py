"""`prompts ...`: what is served by name, and how it came there; optimisations on the server are another file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli import prompt_runs
from cluster.cli.output import print_json, print_table, time_text
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.prompts import PromptCounts, PromptEntry
    from neuroforge.contracts.rules import Estimate

app = typer.Typer(
    help="Prompts that are served by name (promote, compare, take back), and optimisations on the server.",
    no_args_is_help=True,
)
prompt_runs.add_commands(app)
COLUMNS = ("PROMPT", "VERSION", "STATE", "ALIASES", "IMPROVEMENT (95 %)", "MODELS", "SINCE", "REASON")
PROMOTE_TIMEOUT_S = 240.0
"""The first promotion starts MLflow; a server of it that is down costs its own timeouts."""
_LONGEST_REASON = 60
WhichArgument = Annotated[str, typer.Argument(metavar="NAME[@ALIAS|@VERSION]", help="Without @: @production.")]
AliasOption = Annotated[str, typer.Option(help="The alias that callers name.")]


@app.command("list")
def list_prompts(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only versions of this prompt.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every version that is kept, newest first."""
    with shared(context).client() as client:
        entries = client.prompts.list(name)
    if as_json:
        print_json(entries)
    else:
        print_table(COLUMNS, [_row(one) for one in entries], empty="no prompts")


@app.command()
def show(context: typer.Context, which: WhichArgument, as_json: JsonOption = False) -> None:
    """Show one version: what it serves, what it was proven on, and what became of it."""
    name, at = _split(which)
    with shared(context).client() as client:
        entry = client.prompts.get(name, at)
        text = "" if as_json else client.prompts.export(name, entry.release.version, "text")
    if as_json:
        print_json(entry)
        return
    _tell(entry)
    typer.echo(f"\n{text}", nl=False)


@app.command()
def diff(
    context: typer.Context,
    left: WhichArgument,
    right: Annotated[str, typer.Argument(metavar="ALIAS|VERSION", help="Of the same prompt.")] = "production",
    as_json: JsonOption = False,
) -> None:
    """Show what the second version (what production serves) does otherwise than the first."""
    name, at = _split(left)
    with shared(context).client() as client:
        found = client.prompts.diff(name, at, right)
    if as_json:
        print_json(found)
        return
    for line in found.lines or ("nothing differs",):
        typer.echo(line)


@app.command()
def promote(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(help="Directory or result.json of `optimize`; a program or release (YAML, JSON); NAME@VERSION."),
    ],
    name: Annotated[str | None, typer.Option(help="What callers name; else the run's or the release's own.")] = None,
    alias: AliasOption = "production",
    shadow: Annotated[
        float | None, typer.Option(help="Ask it beside what answers, for this share of requests.", min=0.0, max=1.0)
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help="Of a program: a model that it was proven on.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Of a program: why it is promoted.")] = None,
    is_forced: Annotated[bool, typer.Option("--force", help="Serve a run's prompt that was not proven, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep a prompt as a new version, in MLflow too, and serve it by name; from the next second."""
    from neuroforge.errors import ConfigError
    from neuroforge.prompts.release_file import read_release

    if not Path(source).exists() and "@" in source:
        kept, at = _split(source)
        if not at.isdigit():
            raise ConfigError(f"{source}: a kept version is promoted by its number, for example {kept}@3")
        with shared(context).client(PROMOTE_TIMEOUT_S) as client:
            entry = client.prompts.promote_version(kept, int(at), alias, shadow)
    else:
        release = read_release(Path(source), name, tuple(models or ()), reason, is_forced)
        with shared(context).client(PROMOTE_TIMEOUT_S) as client:
            entry = client.prompts.promote(release, alias, shadow)
    if as_json:
        print_json(entry)
    else:
        _tell(entry)


@app.command()
def rollback(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The prompt.")],
    alias: AliasOption = "production",
    version: Annotated[int | None, typer.Option(help="Back to this version.", min=1)] = None,
    as_json: JsonOption = False,
) -> None:
    """Take the last change of an alias back: a shadow ends, or what was served before is served again."""
    with shared(context).client(PROMOTE_TIMEOUT_S) as client:
        entry = client.prompts.rollback(name, alias, version)
    if as_json:
        print_json(entry)
    else:
        _tell(entry)


@app.command()
def export(
    context: typer.Context,
    which: WhichArgument,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; else standard output.")] = None,
    as_text: Annotated[bool, typer.Option("--text", help="As text to read, which cannot be promoted again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON instead of YAML.")] = False,
) -> None:
    """Write one version as a file that can be promoted again, here or on another server."""
    name, at = _split(which)
    with shared(context).client() as client:
        text = client.prompts.export(name, at, "text" if as_text else "json" if as_json else "yaml")
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"written: {out}")


def _split(which: str) -> tuple[str, str]:
    """Name, and alias or version."""
    from neuroforge.contracts.prompt_serving import PRODUCTION, read_reference

    reference = read_reference(which)
    return reference.name, str(reference.version or reference.alias or PRODUCTION)


def _tell(entry: "PromptEntry") -> None:
    release = entry.release
    typer.echo(f"{release.name} version {release.version}: {_state(entry)}; {release.reason}")
    if release.improvement is not None:
        typer.echo(f"improvement over the seed: {_interval(release.improvement)}, n={release.improvement.n}")
    told = {
        "variables": ", ".join(release.variables),
        "models": ", ".join(release.models),
        "evidence": release.evidence,
        "tracked as": release.tracked_as,
        **release.tags,
        "answered": _counts(entry.answers),
        "as shadow": _counts(entry.shadows),
        "note": entry.note,
    }
    for name, value in told.items():
        if value:
            typer.echo(f"{name}: {value}")


def _state(entry: "PromptEntry") -> str:
    live = f"live as {', '.join(entry.aliases)}" if entry.aliases else ""
    shadow = f"shadow of {', '.join(entry.shadow_of)}" if entry.shadow_of else ""
    return ", ".join(filter(None, (live, shadow))) or entry.state


def _counts(found: "PromptCounts") -> str | None:
    """Requests, failures, and what an answer took on average; None without requests."""
    if not found.n_requests:
        return None
    told = f"{found.n_requests} requests, {found.n_failures} failed"
    if n_answers := found.n_requests - found.n_failures:
        n_in, n_out = found.n_prompt_tokens / n_answers, found.n_completion_tokens / n_answers
        told += f"; an answer took {found.latency_s / n_answers:.2f} s, {n_in:.0f} prompt tokens and {n_out:.0f} more"
    return told


def _row(entry: "PromptEntry") -> tuple[str, ...]:
    release, reason = entry.release, entry.release.reason
    return (
        release.name,
        str(release.version),
        entry.state,
        ", ".join(entry.aliases or entry.shadow_of) or "-",
        "-" if release.improvement is None else _interval(release.improvement),
        ", ".join(release.models) or "any",
        time_text(entry.applied_at_s),
        reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…",
    )


def _interval(found: "Estimate") -> str:
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
