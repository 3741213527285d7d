import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from neuroforge.storage.engine import Database, open_database
from tests.services.postgres import running_server
from tests.unit.storage.database import store, target  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A new empty database for each test."""
    name = f"nf_test_{uuid.uuid4().hex}"
    admin = open_database(server_url)
    _execute_alone(admin, f"CREATE DATABASE {name}")
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    _execute_alone(admin, f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def _execute_alone(database: Database, statement: str) -> None:
    """Run what PostgreSQL refuses inside a transaction."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
