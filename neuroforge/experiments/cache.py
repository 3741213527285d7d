"""Replies by what was asked of which weights: same key, same reply, no call."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuroforge.contracts.experiments import CellReply
from neuroforge.errors import DiskFull, StorageError

NAME = "cache.sqlite"
_TABLE = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, body BLOB NOT NULL, at_s REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_by_age ON replies (at_s);
"""
_OF_THE_CELL = {"cell_id", "cache_key", "ttft_s", "latency_s", "n_attempts", "is_cached", "at_s"}
_MOST_VARIABLES = 500


class ReplyCache:
    """A file that any number of runs share. Only whole replies are kept, never errors.

    It holds texts, so it is under the retention of all recorded text (docs/decisions/123).
    """

    def __init__(self, home: Path) -> None:
        """Args:
        home: The directory of all experiments.

        Raises:
            StorageError: The file cannot be used.
        """
        self.path = home / NAME
        home.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600, exist_ok=True)
        with self._told():
            self._database = sqlite3.connect(self.path, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA secure_delete = ON")
            self._database.executescript(_TABLE)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def __len__(self) -> int:
        with self._told():
            return int(self._database.execute("SELECT COUNT(*) FROM replies").fetchone()[0])

    def known(self, keys: Sequence[str], since_s: float) -> set[str]:
        """Return which of the keys have a reply that is not older than `since_s` (Unix time)."""
        return {str(row[0]) for row in self._select("key", keys, since_s)}

    def find(self, keys: Sequence[str], since_s: float) -> dict[str, CellReply]:
        """Return the kept replies by key; their `cell_id` is empty, for the caller to fill in.

        Raises:
            StorageError: An entry is no reply.
        """
        found = {}
        for key, body in self._select("key, body", keys, since_s):
            try:
                found[str(key)] = CellReply.model_validate_json(body)
            except ValidationError as error:
                raise StorageError(f"{self.path}: an entry is no reply; delete the file") from error
        return found

    def put(self, replies: Iterable[CellReply]) -> None:
        """Keep those that are replies and did not come from here; what is known already stays as it is."""
        rows = [
            (one.cache_key, _body_of(one), one.at_s) for one in replies if one.reply is not None and not one.is_cached
        ]
        if rows:
            with self._told(), self._transaction():
                self._database.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", rows)

    def prune(self, before_s: float) -> int:
        """Delete what is older; return how many went."""
        with self._told():
            return int(self._database.execute("DELETE FROM replies WHERE at_s < ?", (before_s,)).rowcount)

    def purge(self, before_s: float | None = None) -> int:
        """Delete what is older, or all, and rewrite the file so that no text is left in it; return how many went."""
        with self._told():
            n_gone = len(self) if before_s is None else 0
            if before_s is None:
                self._database.execute("DELETE FROM replies")
            else:
                n_gone = self.prune(before_s)
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return n_gone

    def _select(self, columns: str, keys: Sequence[str], since_s: float) -> Iterator[tuple[Any, ...]]:
        with self._told():
            for start in range(0, len(keys), _MOST_VARIABLES):
                part = keys[start : start + _MOST_VARIABLES]
                places = ",".join("?" * len(part))
                query = f"SELECT {columns} FROM replies WHERE key IN ({places}) AND at_s >= ?"  # noqa: S608 - no input
                yield from self._database.execute(query, (*part, since_s))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "full" in str(error):
                raise DiskFull(f"{self.path}: {error}; what it holds is kept", path=str(self.path)) from error
            raise StorageError(f"{self.path}: {error}; move the file away: nothing but time is lost") from error


def _body_of(reply: CellReply) -> bytes:
    kept = reply.model_dump(exclude=_OF_THE_CELL)
    return (
        CellReply(**kept, cell_id="", cache_key="", is_cached=True, n_attempts=0, at_s=0.0)
        .model_dump_json(exclude_defaults=True)
        .encode()
    )
