"""Bring a database to the schema of this version, once, whoever opens it first."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from neuroforge.errors import StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import VERSION_TABLE

_ADVISORY_LOCK = 0x6E66_0001
"""Ours among the numbers that applications of one PostgreSQL database may lock."""
_ALEMBIC = threading.Lock()
"""Alembic keeps its current migration in the process's globals: one at a time, whatever the database."""


def migrate(database: Database) -> None:
    """Run the missing migrations in one transaction; do nothing when there are none.

    Openers at the same time wait for each other: by SQLite's write lock, or an advisory lock in PostgreSQL.

    Raises:
        StorageError: The database was made by a newer version, or refused.
    """
    with database.write() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        _upgrade(connection, database.label)


def _upgrade(connection: Connection, label: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found = set(context.get_current_heads())
    unknown = found - {one.revision for one in script.walk_revisions()}
    if unknown:
        raise StorageError(
            f"{label}: its schema {min(unknown)!r} is newer than this version of NeuroForge, which knows up to "
            f"{script.get_current_head()!r}; upgrade NeuroForge, or use another database",
            database=label,
        )
    if found != {script.get_current_head()}:
        with _ALEMBIC:
            command.upgrade(config, "head")
