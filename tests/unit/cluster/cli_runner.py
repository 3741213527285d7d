"""Runs `neuroforge` in this process with an environment of its own."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cluster.cli.app import app

EMPTY_VARIABLES = ("NEUROFORGE_URL", "NEUROFORGE_API_KEY", "NEUROFORGE_CONFIG", "NEUROFORGE_GATEWAY__PORT")


class Cli:
    """The command with a home, and the server that it should talk to."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        self.home = home
        self._environment: dict[str, str | None] = dict.fromkeys(EMPTY_VARIABLES)
        self._environment["NEUROFORGE_HOME"] = str(home)
        self._environment["NEUROFORGE_URL"] = url

    def __call__(self, *words: str, piped: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(app, list(words), input=piped, env={**self._environment, **environment})

    def json(self, *words: str, exit_code: int = 0, **environment: str) -> Any:
        result = self(*words, "--json", **environment)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def config(self, text: str) -> Path:
        path = self.home / "neuroforge.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def tiny_gguf(path: Path, context_length: int = 2048) -> Path:
    """A GGUF header without tensors: enough to be described."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    keys += text("llama.context_length") + struct.pack("<II", 4, context_length)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + keys)
    return path


def cells(line: str) -> Sequence[str]:
    """The columns of a line that is printed for a pipe."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]
