"""`python -m tests.benchmarks.run_experiments [names]`: the experiments' figures; 1 when one misses its target."""

import argparse
import sys
from collections.abc import Callable

from tests.benchmarks import (
    experiment_coverage,
    experiment_matrix,
    experiment_nulls,
    experiment_peeking,
    experiment_tokens,
)
from tests.benchmarks.figures import Figure, check_names, run_all

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
    check_names(parser, given.names, DRIVERS)
    return run_all(given.names or DRIVERS, lambda name: DRIVERS[name]())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
