"""`router rules list|show|diff|propose|shadow|apply|rollback`: what the router must do whatever it has learned."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table, time_text
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroforge.contracts.rules import Estimate, RoutingRules, RulesEntry

app = typer.Typer(help="Pins, exclusions, priors and bounds: propose, prove, apply, roll back.", no_args_is_help=True)
REPLAY_TIMEOUT_S = 120.0
COLUMNS = ("PROPOSAL", "VERSION", "STATE", "GAIN (95 %)", "EVIDENCE", "SHADOW GAIN", "APPLIED", "REASON")
_LONGEST_REASON = 60
WHICH = "A version, a proposal's id, or `live` for the rules in force."


@app.command("list")
def list_rules(context: typer.Context, as_json: JsonOption = False) -> None:
    """List every proposal and version with its evidence, newest first."""
    with shared(context).client() as client:
        entries = client.rules()
    if as_json:
        print_json(entries)
    else:
        print_table(COLUMNS, [_row(one) for one in entries])


@app.command()
def show(
    context: typer.Context,
    which: Annotated[str, typer.Argument(help=WHICH)] = "live",
    as_json: JsonOption = False,
) -> None:
    """Show one version or proposal: what it demands, and what became of it."""
    from neuroforge.contracts.rules import RoutingRules
    from neuroforge.router.rules import diff_rules

    with shared(context).client() as client:
        entry = find_entry(client.rules(), which)
    if as_json:
        print_json(entry)
        return
    print_entry(entry)
    print_lines(diff_rules(RoutingRules(), entry.rules), "demands nothing")


@app.command()
def diff(
    context: typer.Context,
    left: Annotated[str, typer.Argument(help=WHICH)],
    right: Annotated[str, typer.Argument(help=WHICH)] = "live",
    as_json: JsonOption = False,
) -> None:
    """Show what would change from the second (the rules in force) to the first, a line a rule."""
    from neuroforge.router.rules import diff_rules

    with shared(context).client() as client:
        entries = client.rules()
    old, new = find_entry(entries, right), find_entry(entries, left)
    lines = diff_rules(old.rules, new.rules)
    if as_json:
        print_json({"from": old.proposal_id, "to": new.proposal_id, "changes": lines})
    else:
        print_lines(lines, "nothing differs")


@app.command()
def propose(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Rules as YAML or JSON; they take the place of all those in force.")],
    as_json: JsonOption = False,
) -> None:
    """Replay rules on logged outcomes; nothing changes yet. Exit code 1 when the evidence refuses them."""
    rules = read_rules(file)
    with shared(context).client(REPLAY_TIMEOUT_S) as client:
        entry = client.propose_rules(rules)
    _tell(entry, as_json)
    if entry.state == "refused":
        raise typer.Exit(1)


@app.command()
def shadow(
    context: typer.Context,
    proposal_id: Annotated[str, typer.Argument(help="From `list`.")],
    as_json: JsonOption = False,
) -> None:
    """Let a proposal decide beside the rules in force, without effect; `list` shows its predicted gain."""
    with shared(context).client() as client:
        entry = client.shadow_rules(proposal_id)
    _tell(entry, as_json)


@app.command()
def apply(
    context: typer.Context,
    proposal_id: Annotated[str, typer.Argument(help="From `list`.")],
    is_forced: Annotated[bool, typer.Option("--force", help="Apply it whatever the replay says.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a proposal in force, after one more replay."""
    with shared(context).client(REPLAY_TIMEOUT_S) as client:
        entry = client.apply_rules(proposal_id, is_forced)
    _tell(entry, as_json)


@app.command()
def rollback(
    context: typer.Context,
    version: Annotated[
        int | None, typer.Argument(help="Version to go back to; 0 = the settings' defaults.", min=0)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put an earlier version in force again, as a new version; without one, what was in force before."""
    with shared(context).client() as client:
        entry = client.rollback_rules(version)
    _tell(entry, as_json)


def read_rules(file: Path) -> "RoutingRules":
    """Return the rules in a YAML or JSON file.

    Raises:
        ConfigError: It cannot be read, or a rule is wrong: names the file and the rule.
    """
    import yaml
    from pydantic import ValidationError

    from neuroforge.contracts.rules import RoutingRules
    from neuroforge.errors import ConfigError

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: rules are a mapping, for example `pins: [{{model_id: small, task: code}}]`")
    try:
        return RoutingRules.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigError(f"{file}: {f'{place}: ' if place else ''}{told}") from error


def find_entry(entries: "Sequence[RulesEntry]", which: str) -> "RulesEntry":
    """Return the entry of a version, of a proposal's id, or the one in force.

    Raises:
        NotFound: None is called so; the message names those that exist.
    """
    from neuroforge.errors import NotFound

    for one in entries:
        is_live = which == "live" and one.state == "applied"
        is_version = which == str(one.rules.version) and (one.rules.version > 0 or one.proposal_id == "defaults")
        if is_live or is_version or which == one.proposal_id:
            return one
    known = ", ".join(one.proposal_id for one in entries)
    raise NotFound(f"no rules are called {which!r}; known: live, a version, {known}")


def print_entry(entry: "RulesEntry") -> None:
    """Write what became of it, for people."""
    version = f", version {entry.rules.version}" if entry.rules.version else ""
    typer.echo(f"{entry.proposal_id}: {entry.state}{version}; {entry.rules.reason}")
    if entry.rules.evidence is not None:
        typer.echo(f"evidence: {entry.rules.evidence}")
    if (found := entry.replay) is not None:
        typer.echo(
            f"replay on {found.value.n} scored decisions, {found.n_changed} of which would change "
            f"(effective sample size {found.effective_sample_size:.1f}): quality {found.baseline.mean:.3f} -> "
            f"{found.value.mean:.3f}, gain {_gain(found.difference)}"
        )
    if entry.shadow is not None:
        typer.echo(f"shadow on {entry.shadow.n} live decisions: predicted gain {_gain(entry.shadow)}")
    if entry.note is not None:
        typer.echo(f"note: {entry.note}")


def print_lines(lines: "Sequence[str]", empty: str) -> None:
    """Write one rule a line."""
    for line in lines or (empty,):
        typer.echo(line)


def _tell(entry: "RulesEntry", as_json: bool) -> None:
    if as_json:
        print_json(entry)
    else:
        print_entry(entry)


def _row(entry: "RulesEntry") -> tuple[str, ...]:
    replay, reason = entry.replay, entry.rules.reason
    return (
        entry.proposal_id,
        str(entry.rules.version or "-") if entry.proposal_id != "defaults" else "0",
        entry.state,
        "-" if replay is None else _gain(replay.difference),
        "-" if replay is None else f"{replay.effective_sample_size:.0f}",
        "-" if entry.shadow is None else _gain(entry.shadow),
        time_text(entry.applied_at_s),
        reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…",
    )


def _gain(found: "Estimate") -> str:
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
