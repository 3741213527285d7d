"""URLs, and what a message may say of them."""

import sqlite3
import sys

import pytest

from neuroforge.errors import StorageError
from neuroforge.storage.engine import open_database, storage_error


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@host/db",
        "postgresql+psycopg2://user:hunter2@host/db",
        "postgresql://user:hunter2@host:port/db",
        "hunter2",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////tmp/x.db?mode=ro",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_allowed_ones(url: str) -> None:
    with pytest.raises(StorageError, match="allowed: sqlite:////absolute") as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_label_of_a_server_hides_the_password(scheme: str) -> None:
    database = open_database(f"{scheme}://user:hunter2@db.example:5432/forge")

    assert database.label == "postgresql://user:***@db.example:5432/forge"
    assert database.is_postgresql


def test_a_missing_driver_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StorageError, match=r"pip install 'neuroforge\[postgres\]'") as caught:
        open_database("postgresql://user:hunter2@127.0.0.1/forge")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("database is locked", "stop that process"),
        ("database or disk is full", "free space on that disk"),
        ("attempt to write a readonly database", "write access"),
        ("something new", None),
    ],
)
def test_reason_is_followed_by_its_remedy(reason: str, remedy: str | None) -> None:
    message = storage_error("/x.db", sqlite3.OperationalError(reason)).message

    assert message.startswith(f"/x.db: {reason}")
    assert remedy is None or message.endswith(remedy) or remedy in message.partition(";")[2]
    assert (";" in message) == (remedy is not None)
