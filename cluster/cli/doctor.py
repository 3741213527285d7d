"""`doctor`: is this machine ready to serve, and if not, what would help."""

from typing import TYPE_CHECKING

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from cluster.cli.checks import Check

COLUMNS = ("CHECK", "RESULT", "FOUND", "REMEDY")


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check ports, sockets, disk, memory, GPU, versions and settings; exit code 1 when something fails."""
    checks = all_checks(shared(context))
    has_failed = any(one.level == "fail" for one in checks)
    if as_json:
        print_json({"is_healthy": not has_failed, "checks": [one.as_json() for one in checks]})
    else:
        print_table(COLUMNS, [(one.name, one.level, one.detail, one.remedy) for one in checks])
    if has_failed:
        raise typer.Exit(1)


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
