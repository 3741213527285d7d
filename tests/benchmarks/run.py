"""`python -m tests.benchmarks.run [names] [--with-litellm]`: write JSON, print tables; 1 when one misses its target."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import engine, gateway_overhead, learner, soak, start
from tests.benchmarks.figures import Figure, check_names, run_all

Driver = Callable[[Path, Path, bool], list[Figure]]
DRIVERS: dict[str, Driver] = {
    "gateway_overhead": gateway_overhead.run,
    "engine": engine.run,
    "learner": learner.run,
    "soak": soak.run,
    "start": start.run,
}
ASSETS_HOME = Path(".neuroforge") / "test-home"
"""Where the tests keep their models too."""


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of: {', '.join(DRIVERS)}")
    parser.add_argument("--with-litellm", action="store_true", help="install LiteLLM's proxy aside and compare with it")
    given = parser.parse_args(words)
    check_names(parser, given.names, DRIVERS)

    def run(name: str) -> list[Figure]:
        with tempfile.TemporaryDirectory(prefix="nf-bench-") as directory:
            return DRIVERS[name](Path(directory) / "home", ASSETS_HOME.absolute(), given.with_litellm)

    return run_all(given.names or DRIVERS, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
