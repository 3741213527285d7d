"""`python -m tests.benchmarks.run_experiments [names]`: the experiments' figures; 1 when one misses its target."""

import argparse
import sys
import time
from collections.abc import Callable

from tests.benchmarks import (
    experiment_coverage,
    experiment_matrix,
    experiment_nulls,
    experiment_peeking,
    experiment_tokens,
)
from tests.benchmarks.figures import Figure, print_figures, write_figures

Driver = Callable[[], list[Figure]]
DRIVERS: dict[str, Driver] = {
    "coverage": experiment_coverage.run,
    "rejections": experiment_nulls.run,
    "peeking": experiment_peeking.run,
    "throughput": experiment_matrix.throughput,
    "cache": experiment_matrix.reuse,
    "tokens": experiment_tokens.run,
}


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.run_experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of: {', '.join(DRIVERS)}")
    given = parser.parse_args(words)
    if unknown := sorted(set(given.names) - DRIVERS.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(DRIVERS)}")
    holds = True
    for name in given.names or DRIVERS:
        started_s = time.monotonic()
        figures = DRIVERS[name]()
        print_figures(f"{name} ({time.monotonic() - started_s:.0f} s)", figures)
        print(f"written: {write_figures(name, figures)}")
        holds = holds and all(one.holds is not False for one in figures)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
