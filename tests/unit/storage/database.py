"""A database under test, and ways round our own code: raw statements, triggers off."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from neuroforge.contracts.keys import AuditEvent
from neuroforge.storage.engine import Database
from neuroforge.storage.store import SqlStore, open_store

HEAD_TABLE = "nf_audit_head"


@dataclass
class SettableClock:
    """Unix time that only tests move."""

    now_s: float = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Target:
    """One empty database and all the stores that were opened on it."""

    url: str
    clock: SettableClock = field(default_factory=SettableClock)
    opened: list[SqlStore] = field(default_factory=list)

    def open(self) -> SqlStore:
        store = open_store(self.url, self.clock)
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()


@pytest.fixture
def target(database_url: str) -> Iterator[Target]:
    """`database_url` comes from the conftest of each kind of database."""
    target = Target(database_url)
    yield target
    target.close()


@pytest.fixture
def store(target: Target) -> SqlStore:
    return target.open()


def execute(database: Database, *statements: str) -> list[Any]:
    """Run statements in one transaction; return the rows of the last if it gives any."""
    with database.write() as connection:
        results = [connection.exec_driver_sql(one) for one in statements]
        return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []


def tamper(database: Database, *statements: str) -> None:
    """What an owner of the database could do: switch the triggers off, then change what is there."""
    if database.is_postgresql:
        off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in ("nf_audit", HEAD_TABLE)]
    else:
        names = execute(database, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
        off = [f"DROP TRIGGER {name}" for (name,) in names]
    execute(database, *off, *statements)


def event(number: int = 1, **changes: Any) -> AuditEvent:
    fields: dict[str, Any] = {
        "at_s": 1_000_000_000.5,
        "actor": "local",
        "action": "inference",
        "target": "tiny",
        "request_id": f"req-{number}",
        "status": 200,
        "detail": {"n_prompt_tokens": number},
    }
    return AuditEvent(**(fields | changes))
