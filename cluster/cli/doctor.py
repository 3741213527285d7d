"""`doctor`: is this machine ready to serve, and if not, what would help."""

import sys
from typing import TYPE_CHECKING

import typer

from cluster.cli.output import has_colour, print_json
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.cli.checks import Check

COLOUR_BY_LEVEL = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check ports, sockets, disk, memory, GPU, versions and settings; exit code 1 when something fails."""
    checks = all_checks(shared(context))
    has_failed = any(one.level == "fail" for one in checks)
    if as_json:
        print_json({"is_healthy": not has_failed, "checks": [one.as_json() for one in checks]})
    else:
        _print_checks(checks)
    if has_failed:
        raise typer.Exit(1)


def _print_checks(checks: "Sequence[Check]") -> None:
    """Write a line a check and its remedy below; no table, because what was found may be long."""
    width = max(len(one.name) for one in checks)
    for one in checks:
        level = (
            typer.style(f"{one.level:<4}", fg=COLOUR_BY_LEVEL[one.level])
            if has_colour(sys.stdout)
            else f"{one.level:<4}"
        )
        typer.echo(f"{level}  {one.name:<{width}}  {one.detail}")
        if one.remedy:
            typer.echo(f"{'':<{width + 8}}-> {one.remedy}")


def all_checks(options: Shared) -> "list[Check]":
    """Return every check; with settings that cannot be used, the rest is checked against the defaults."""
    from cluster.cli.checks import Check
    from cluster.cli.checks_machine import machine_checks
    from cluster.cli.checks_network import network_checks
    from cluster.cli.checks_software import software_checks
    from cluster.run_state import read_live_run_state
    from neuroforge.errors import ConfigError
    from neuroforge.settings import Settings

    try:
        settings = options.settings()
        source = options.config_path()
        first = Check("settings", "ok", str(source) if source else "defaults and environment")
    except ConfigError as error:
        settings = Settings()
        first = Check("settings", "fail", error.message, "correct it; `neuroforge config validate` checks it")
    home = settings.storage.home
    state = read_live_run_state(home)
    pid = state.pid if state is not None else None
    return [first, *machine_checks(home), *software_checks(), *network_checks(settings, pid)]
