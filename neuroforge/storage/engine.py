"""database URL -> `Database`: an engine that is set up for durability, with transactions that raise our errors.

SQLite: WAL, synchronous=FULL (a commit survives power loss, docs/decisions/050), file mode 0600. PostgreSQL: psycopg.
The URL's password and the statements' values appear in no message.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from neuroforge.errors import StorageError

LOCK_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
ALLOWED_URLS = "sqlite:////absolute/path.db or postgresql://user:password@host:5432/database"

_REMEDIES = (
    ("not a database", "move the file away, or put a backup in its place"),
    ("malformed", "the file is damaged: move it away, or put a backup in its place"),
    ("database is locked", f"another process has held it for over {LOCK_TIMEOUT_S} s: stop that process"),
    ("lock timeout", f"another process has held it for over {LOCK_TIMEOUT_S} s: end that session on the server"),
    ("disk is full", "free space on that disk"),
    ("no space left", "free space on the server's disk"),
    ("readonly database", "give this user write access to the file and its directory"),
    ("unable to open", "give this user write access to the file and its directory"),
    ("authentication failed", "check user and password in storage.database_url"),
    ("permission denied", "grant this database user CREATE and USAGE on its schema"),
    ("no schema has been selected", "grant this database user CREATE and USAGE on its schema"),
    ("does not exist", "create it on the server, or correct storage.database_url"),
    ("connection", "check that the server runs and that storage.database_url names it"),
)
"""A part of the database's own message (lower case) and what helps; the first that matches."""


class Database:
    """An open database. Safe to use from several threads: each transaction has a connection of its own."""

    def __init__(self, engine: Engine, label: str) -> None:
        self.engine = engine
        self.label = label
        """The path, or the URL without its password: for messages."""

    @property
    def is_postgresql(self) -> bool:
        """Else it is SQLite."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whatever others write meanwhile.

        Raises:
            StorageError: The database refused; names it, the reason and the remedy.
        """
        with self._translated(), self.engine.connect() as connection:
            if self.is_postgresql:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is all or nothing; on SQLite the only one that writes. Raises as `read`."""
        with self._translated(), self.engine.connect() as connection:
            connection = connection.execution_options(is_write=True)
            with connection.begin():
                if self.is_postgresql:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
                yield connection

    def execute_alone(self, statement: str) -> None:
        """Run a statement that no transaction may be around, such as VACUUM. Raises as `read`."""
        with self._translated():
            connection = self.engine.raw_connection()
            try:
                if self.is_postgresql:
                    connection.driver_connection.autocommit = True  # type: ignore[union-attr]
                cursor = connection.cursor()
                cursor.execute(statement)
                cursor.close()
            finally:
                if self.is_postgresql:
                    connection.driver_connection.autocommit = False  # type: ignore[union-attr]
                connection.close()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise storage_error(self.label, error) from error


def storage_error(label: str, error: Exception) -> StorageError:
    """Say what the database said, without the statement and its values, and what helps."""
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    lowered = reason.lower()
    remedy = next((text for part, text in _REMEDIES if part in lowered), None)
    message = f"{label}: {reason}; {remedy}" if remedy else f"{label}: {reason}"
    return StorageError(message, database=label)


def open_database(url: str) -> Database:
    """Open without touching the schema; only SQLite is really reached here.

    Raises:
        StorageError: Not such a URL, the driver is missing, or the file cannot be made or is none of SQLite's.
    """
    parsed = _parse(url)
    return _open_sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _open_postgresql(parsed)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # `from None`: SQLAlchemy's own message may quote the password.
        raise StorageError(f"storage.database_url is not a database URL; allowed: {ALLOWED_URLS}") from None
    if parsed.drivername == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.query:
            raise StorageError(f"a SQLite URL must name a file and no options; allowed: {ALLOWED_URLS}")
        return parsed
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StorageError(f"database {parsed.drivername!r} is not supported; allowed: {ALLOWED_URLS}")


def _open_sqlite(url: URL) -> Database:
    path = Path(url.database or "").absolute()
    engine = create_engine(
        url.set(database=str(path)), connect_args={"timeout": LOCK_TIMEOUT_S}, hide_parameters=True, pool_timeout=60
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.text_factory = _text
        connection.isolation_level = None  # else sqlite3 begins transactions of its own, late and only for writes
        # secure_delete: what is deleted is overwritten, not only unlinked.
        for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock first: a read that later turns into a write would fail instead of waiting.
        is_write = connection.get_execution_options().get("is_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    database = Database(engine, str(path))
    _prepare_file(path, database)
    return database


def _text(raw: bytes) -> str | bytes:
    """Let bytes that are no text (put there by damage or tampering) reach the checks instead of ending the query."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _prepare_file(path: Path, database: Database) -> None:
    """Make it a WAL database that only this user may read; SQLite gives its side files the same mode.

    One opener at a time: two that switch a file to WAL at once fail instead of waiting. And a file that is there is
    opened through SQLite only: closing a descriptor of our own would drop the locks of this process's connections.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", mode=0o600, timeout=LOCK_TIMEOUT_S):
            if path.exists():
                path.chmod(0o600)
            else:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with database.read():
                pass
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be opened: {error.strerror or error}; set storage.home to a directory that this user may "
            f"write to",
            database=str(path),
        ) from error


def _open_postgresql(url: URL) -> Database:
    label = url.set(drivername="postgresql").render_as_string(hide_password=True)
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_timeout=60)
    except ImportError as error:
        raise StorageError(
            f"{label}: PostgreSQL needs its driver: pip install 'neuroforge[postgres]'", database=label
        ) from error
    return Database(engine, label)
