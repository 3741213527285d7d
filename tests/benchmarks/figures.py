"""What a benchmark leaves behind: figures with their targets, as JSON and as a table."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(".neuroforge") / "benchmarks"


@dataclass(frozen=True)
class Figure:
    """One number. `target` says in words what it must reach; `holds` is None where nothing is demanded."""

    name: str
    value: float
    unit: str
    target: str | None = None
    holds: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must not be above the limit."""
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must not be below the limit."""
    return Figure(name, value, unit, f">= {limit:g}", value >= limit)


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Median over neighbouring blocks, so that a machine that slows down in between slows both."""
    return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def write_figures(name: str, figures: Sequence[Figure]) -> Path:
    """Write the JSON that `make benchmark` promises; return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")
    return path


def print_figures(name: str, figures: Sequence[Figure]) -> None:
    """Show them as a table."""
    table = Table("figure", "value", "unit", "target", "holds", title=name, title_justify="left")
    for one in figures:
        holds = {None: "", True: "yes", False: "NO"}[one.holds]
        table.add_row(one.name, f"{one.value:.4g}", one.unit, one.target or "", holds)
    Console().print(table)


def check_names(parser: argparse.ArgumentParser, names: Iterable[str], drivers: Iterable[str]) -> None:
    """End the program where a name is none of the drivers'."""
    if unknown := sorted(set(names) - set(drivers)):
        parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(drivers)}")


def run_all(names: Iterable[str], run: Callable[[str], list[Figure]]) -> int:
    """Run, print and write one after another; return 1 when a figure misses its target, else 0."""
    holds = True
    for name in names:
        started_s = time.monotonic()
        figures = run(name)
        print_figures(f"{name} ({time.monotonic() - started_s:.0f} s)", figures)
        print(f"written: {write_figures(name, figures)}")
        holds = holds and all(one.holds is not False for one in figures)
    return 0 if holds else 1
