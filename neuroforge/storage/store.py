"""`open_store`: the one way to a database. Keys, audit log, desired models and prompts in one object."""

from neuroforge.contracts.ports import Clock
from neuroforge.storage.audit import SqlAuditLog
from neuroforge.storage.engine import Database, open_database
from neuroforge.storage.keys import SqlKeyStore
from neuroforge.storage.migrate import migrate
from neuroforge.storage.prompts import SqlPrompts
from neuroforge.storage.registry import SqlModelRegistry


class SqlStore(SqlKeyStore, SqlAuditLog, SqlModelRegistry):
    """`KeyStore`, `AuditLog` and `ModelRegistry` over one database; safe to use from several threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        SqlKeyStore.__init__(self, database, clock)
        self.prompts = SqlPrompts(database, clock)

    def close(self) -> None:
        """Give all connections back; SQLite folds its write-ahead log into the file."""
        self.database.close()


def open_store(url: str, clock: Clock) -> SqlStore:
    """Open, and make the schema that of this version.

    Args:
        url: sqlite:////absolute/path.db or postgresql://user:password@host:port/database.
        clock: Unix time in seconds, for creation and revocation times.
    Raises:
        StorageError: A bad URL, a missing driver, a server or file that refuses, or a database of a newer version.
    """
    database = open_database(url)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock)
