"""A module of ours in a process of its own, which prints its address first and serves until it is ended."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def aside(module: str, *words: str) -> Iterator[str]:
    """Start it with these words; yields its address."""
    process = subprocess.Popen([sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
