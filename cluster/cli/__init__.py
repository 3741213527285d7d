"""words on the command line -> settings or client -> one table, one JSON document, or one line that says what is wrong.

Commands import what they need when they run: `--help` must not wait for Ray, pydantic or rich.
"""

import sys


def main() -> None:
    """Entry point of `neuroforge`."""
    from cluster.cli.app import app
    from cluster.cli.failures import report_bug

    if "--debug" not in sys.argv[1:]:
        sys.excepthook = report_bug
    app()
