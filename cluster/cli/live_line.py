"""How far something is: one line that changes on a terminal, a line now and then in a pipe."""

import sys
import time

import typer

PIPE_EVERY_S = 10.0


class LiveLine:
    """Writes to stderr, so that stdout stays what was found."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._told_at_s = float("-inf")
        self._width = 0

    def write(self, text: str) -> None:
        """Put the text in the place of the last one."""
        if self._is_live:
            sys.stderr.write(f"\r{text.ljust(self._width)}")
            sys.stderr.flush()
            self._width = len(text)
        elif time.monotonic() - self._told_at_s >= PIPE_EVERY_S:
            self._told_at_s = time.monotonic()
            typer.echo(text, err=True)

    def close(self) -> None:
        """Leave the line."""
        if self._is_live and self._width:
            sys.stderr.write("\n")
            self._width = 0
