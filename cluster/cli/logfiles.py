"""A Ray session's log files -> lines with the name of who wrote them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.names import FLEET_ACTOR, GATEWAY_APP, STATE_ACTOR

TAIL_BYTES = 256 * 1024
"""How far back a tail looks in one file."""
REPLICA = "replica_"
MODEL_REPLICA = "replica_model-"
"""Serve names a replica's file replica_<application>_<deployment>_<replica id>.log; ours are called model-<id>."""
MODEL_DEPLOYMENT = "model"
"""Of our own engines; vLLM's applications have several deployments with longer names."""
ACTOR_MARK = ":actor_name:"
SOURCE_BY_ACTOR = {"FleetActor": "fleet", FLEET_ACTOR: "fleet", "StateActor": "state", STATE_ACTOR: "state"}


@dataclass(frozen=True)
class LogFile:
    """One file and who wrote it."""

    source: str
    path: Path


def find_log_files(session_dir: Path, model_id: str | None, known_ids: Sequence[str]) -> list[LogFile]:
    """Return the Serve logs of one model's replicas, or all of them with the controllers' and actors'.

    Args:
        known_ids: Ids in the settings: for applications whose deployments' names may hold `_` too.
    """
    directory = session_dir / "logs"
    serve_files = sorted((directory / "serve").glob("*.log"))
    found = [
        LogFile(_source_of(path.name, [*known_ids, *([model_id] if model_id else [])]), path) for path in serve_files
    ]
    if model_id is not None:
        return [file for file in found if file.source == model_id]
    actors = [LogFile(name, path) for path in sorted(directory.glob("worker-*.err")) if (name := _actor_source(path))]
    return found + actors


def _source_of(name: str, ids: Sequence[str]) -> str:
    if name.startswith(MODEL_REPLICA):
        rest = name.removeprefix(MODEL_REPLICA)
        app, *others = rest.rsplit("_", 2)
        if others[:1] == [MODEL_DEPLOYMENT]:
            return app
        matching = [one for one in ids if rest.startswith(f"{one}_")]
        return max(matching, key=len) if matching else app
    if name.startswith(f"{REPLICA}{GATEWAY_APP}_"):
        return "gateway"
    return name.removeprefix(REPLICA).split("_", 1)[0]


def _actor_source(path: Path) -> str | None:
    # Ray marks the file of an actor with a line of its own at the top.
    with path.open("rb") as file:
        head = file.read(512).decode("utf-8", errors="replace")
    names = [line.removeprefix(ACTOR_MARK) for line in head.splitlines() if line.startswith(ACTOR_MARK)]
    return SOURCE_BY_ACTOR.get(names[0]) if names else None


class LogReader:
    """Remembers how far each file was read; files that appear later are read from their start."""

    def __init__(self, find: Callable[[], list[LogFile]]) -> None:
        self._find = find
        self._offset_by_path: dict[Path, int] = {}
        self._partial_by_path: dict[Path, bytes] = {}

    @property
    def sources(self) -> list[str]:
        """Who wrote the files there are."""
        return [file.source for file in self._find()]

    def tail(self, n_lines: int) -> list[tuple[str, str]]:
        """Return the last lines of each file, and remember their ends."""
        lines = []
        for file in self._find():
            size = file.path.stat().st_size
            with file.path.open("rb") as stream:
                stream.seek(max(0, size - TAIL_BYTES))
                text = stream.read(TAIL_BYTES)
                self._offset_by_path[file.path] = stream.tell()
            last = _lines_of(text)[-n_lines:] if n_lines else []
            lines += [(file.source, line) for line in last]
        return lines

    def read_new(self) -> list[tuple[str, str]]:
        """Return whole lines written since the last call; a file that was replaced by a shorter one starts anew."""
        lines = []
        for file in self._find():
            offset = self._offset_by_path.get(file.path, 0)
            if file.path.stat().st_size < offset:
                offset = 0
            with file.path.open("rb") as stream:
                stream.seek(offset)
                text = self._partial_by_path.pop(file.path, b"") + stream.read()
                self._offset_by_path[file.path] = stream.tell()
            whole, newline, rest = text.rpartition(b"\n")
            if rest:
                self._partial_by_path[file.path] = rest
            lines += [(file.source, line) for line in _lines_of(whole + newline)]
        return lines


def _lines_of(text: bytes) -> list[str]:
    return text.decode("utf-8", errors="replace").splitlines()
