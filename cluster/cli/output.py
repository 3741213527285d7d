"""Values -> a table for people, aligned text for pipes, or JSON for programs."""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def has_colour(stream: TextIO) -> bool:
    """Whether escape codes may be written: to a terminal, unless NO_COLOR asks for none (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def console() -> "Console":
    """Rich's console on stdout: without colour when stdout is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Write one JSON document; contracts become objects."""
    typer.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False))


def jsonable(value: Any) -> Any:
    """Return plain lists, dicts and scalars."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(name): jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(one) for one in value]
    return value


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str = "nothing") -> None:
    """Write a table; in a pipe as aligned columns that are never cut. Without rows the word for it."""
    if not rows:
        typer.echo(empty)
        return
    if is_terminal():
        _print_rich(columns, rows)
        return
    everything = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in everything) for index in range(len(columns))]
    for row in everything:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_style_of(cell)) for cell in row))
    console().print(table)


def _style_of(cell: str) -> str:
    return {"ready": "green", "ok": "green", "failed": "red", "fail": "red", "loading": "yellow", "warn": "yellow"}.get(
        cell, ""
    )


def dim(text: str) -> str:
    """Return the text greyed for a terminal, plain for a pipe."""
    return typer.style(text, dim=True) if has_colour(sys.stderr) else text


def bytes_text(n_bytes: int | None) -> str:
    """Return 1536 as `1.5 KiB`, None as `-`."""
    if n_bytes is None:
        return "-"
    value = float(n_bytes)
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit always returns")


def age_text(since_s: float | None, now_s: float) -> str:
    """Return how long ago a Unix time was: `42s`, `5m`, `3h`, `2d`; None as `-`."""
    if since_s is None:
        return "-"
    seconds = max(0.0, now_s - since_s)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def time_text(at_s: float | None) -> str:
    """Return a Unix time as local `2026-11-22 09:30:00`, None as `-`."""
    if at_s is None:
        return "-"
    from datetime import datetime

    return datetime.fromtimestamp(at_s).strftime("%Y-%m-%d %H:%M:%S")
