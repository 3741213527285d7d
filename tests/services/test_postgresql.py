"""The suites on PostgreSQL, and what only a server has."""

import pytest
from sqlalchemy import make_url

from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import StorageError
from neuroforge.storage.store import SqlStore, open_store
from tests.unit.storage.database import Target, event, execute
from tests.unit.storage.suite_audit import TestAppend, TestTail, TestTriggers, TestVerify  # noqa: F401
from tests.unit.storage.suite_keys import TestKeys  # noqa: F401
from tests.unit.storage.suite_live_tests import TestLiveTests, live_tests  # noqa: F401
from tests.unit.storage.suite_open import TestOpen  # noqa: F401
from tests.unit.storage.suite_outcome_data import TestExport, TestPurge, TestSummary  # noqa: F401
from tests.unit.storage.suite_outcomes import TestLearnerState, TestOutcomes, outcome_store  # noqa: F401
from tests.unit.storage.suite_prompts import TestPrompts, prompts  # noqa: F401
from tests.unit.storage.suite_registry import TestRegistry  # noqa: F401
from tests.unit.storage.suite_rules import TestRules, table  # noqa: F401
from tests.unit.storage.suite_state import TestExchange, exchange  # noqa: F401

pytestmark = pytest.mark.services


@pytest.mark.parametrize("name", ["nf_audit", "nf_audit_head"])
def test_truncate_is_refused(store: SqlStore, name: str) -> None:
    store.append((event(),))

    with pytest.raises(StorageError, match="TRUNCATE refused"):
        execute(store.database, f"TRUNCATE {name}")


def test_triggers_fire_for_a_session_in_replica_role_too(store: SqlStore) -> None:
    store.append((event(),))

    with pytest.raises(StorageError, match="DELETE refused"):
        execute(store.database, "SET LOCAL session_replication_role = replica", "DELETE FROM nf_audit")


def test_a_wrong_password_is_told_without_the_password(database_url: str) -> None:
    wrong = make_url(database_url).set(password="hunter2").render_as_string(hide_password=False)

    with pytest.raises(StorageError, match=r"authentication failed.*; check user and password") as caught:
        open_store(wrong, lambda: 0.0)
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_told_with_a_remedy(server_url: str) -> None:
    elsewhere = make_url(server_url).set(database="nowhere").render_as_string(hide_password=False)

    with pytest.raises(StorageError, match=r'database "nowhere" does not exist; create it on the server'):
        open_store(elsewhere, lambda: 0.0)


def test_a_server_that_is_not_there_is_told_with_a_remedy() -> None:
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/forge: .*; check that the server runs"):
        open_store("postgresql://user:hunter2@127.0.0.1:1/forge", lambda: 0.0)


def test_a_user_without_rights_is_told_with_a_remedy(target: Target) -> None:
    admin = target.open().database
    user = make_url(target.url).set(username="nf_guest", password="guest")
    execute(admin, "DROP ROLE IF EXISTS nf_guest", "CREATE ROLE nf_guest LOGIN PASSWORD 'guest'")
    execute(
        admin, "ALTER TABLE alembic_version_neuroforge RENAME TO gone", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    )

    with pytest.raises(StorageError, match=r"permission denied.*; grant this database user CREATE and USAGE"):
        open_store(user.render_as_string(hide_password=False), lambda: 0.0)
    execute(admin, "DROP ROLE nf_guest")


def test_connections_that_the_server_closed_are_replaced(target: Target) -> None:
    store, beside = target.open(), target.open()
    key = store.create_key(KeySpec(name="laptop")).key
    execute(
        beside.database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )

    assert store.list_keys() == (key,)
