"""`python -m tests.benchmarks.run_prompts [names]`: figures of prompt optimisation; 1 when one misses its target."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import prompt_field, prompt_nulls, prompt_overhead, prompt_racing, prompt_structures
from tests.benchmarks.figures import Figure, check_names, run_all

Driver = Callable[[argparse.Namespace], list[Figure]]
DRIVERS: dict[str, Driver] = {
    "overhead": lambda _given: prompt_overhead.run(),
    "racing": lambda given: prompt_racing.run(given.data),
    "false_promotion": lambda _given: prompt_nulls.run(),
    "structure": lambda _given: prompt_structures.run(),
    "field": lambda given: prompt_field.run(given.data, _wanted(given)),
}


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.run_prompts", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of: {', '.join(DRIVERS)}")
    parser.add_argument("--data", type=Path, help="directory of the public task sets; without it those of registries")
    parser.add_argument("--task", action="append", default=[], help="field: only this one; may be repeated")
    parser.add_argument("--method", action="append", default=[], help="field: only this one; may be repeated")
    parser.add_argument("--limit-minutes", type=float, help="field: begin no run after so long; the next call goes on")
    given = parser.parse_args(words)
    check_names(parser, given.names, DRIVERS)
    if given.data is not None and not given.data.is_dir():
        parser.error(f"--data {given.data}: no such directory")
    return run_all(given.names or DRIVERS, lambda name: DRIVERS[name](given))


def _wanted(given: argparse.Namespace) -> prompt_field.Wanted:
    limit_s = None if given.limit_minutes is None else 60 * given.limit_minutes
    return prompt_field.Wanted(given.task, given.method, limit_s)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
