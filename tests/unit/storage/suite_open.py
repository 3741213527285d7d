"""Facts about opening that hold on every database."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from neuroforge.errors import StorageError
from neuroforge.storage.engine import open_database
from neuroforge.storage.migrations import versions
from neuroforge.storage.schema import VERSION_TABLE, metadata
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, execute

NEWEST = max(path.name[:4] for path in Path(versions.__file__).parent.glob("[0-9]*.py"))
"""Files are numbered in their order."""


class TestOpen:
    def test_migrations_make_the_tables_that_the_code_expects(self, store: SqlStore) -> None:
        with store.database.read() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
            )

            assert compare_metadata(context, metadata) == []

    def test_version_table_is_not_the_one_that_other_tools_use(self, store: SqlStore) -> None:
        assert execute(store.database, "SELECT version_num FROM alembic_version_neuroforge") == [(NEWEST,)]

    def test_database_of_a_newer_version_is_refused_and_left_alone(self, target: Target) -> None:
        store = target.open()
        execute(store.database, "UPDATE alembic_version_neuroforge SET version_num = '9999'")

        with pytest.raises(
            StorageError, match=rf"schema '9999' is newer .* knows up to '{NEWEST}'; upgrade NeuroForge"
        ):
            target.open()
        assert execute(store.database, "SELECT version_num FROM alembic_version_neuroforge") == [("9999",)]

    def test_first_openers_at_the_same_time_all_succeed(self, target: Target) -> None:
        with ThreadPoolExecutor(max_workers=6) as pool:
            stores = list(pool.map(lambda _: target.open(), range(6)))

        assert [store.list_keys() for store in stores] == [()] * 6

    def test_a_migration_that_fails_leaves_nothing_behind(self, target: Target) -> None:
        database = open_database(target.url)
        execute(database, "CREATE TABLE nf_model_specs (something TEXT)")

        with pytest.raises(StorageError, match=r"nf_model_specs.* already exists"):
            target.open()
        execute(database, "DROP TABLE nf_model_specs")
        database.close()
        assert target.open().list_specs() == ()
