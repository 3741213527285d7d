"""What only SQLite has: a file, with a mode, that can be damaged."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import StorageError
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, event, execute, tamper


@pytest.fixture
def path(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def test_only_the_owner_can_read_the_files(store: SqlStore, path: Path) -> None:
    store.append((event(),))

    modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["neuroforge.db", "neuroforge.db-wal", "neuroforge.db-shm", "neuroforge.db.lock"], 0o600
    )
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(target: Target, path: Path) -> None:
    target.open().close()
    path.chmod(0o644)

    target.open()

    assert path.stat().st_mode & 0o777 == 0o600


def test_the_mode_of_a_directory_that_was_there_is_left_alone(target: Target, path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    target.open()

    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_a_commit_waits_for_the_disk(store: SqlStore) -> None:
    pragmas = [execute(store.database, f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]

    assert pragmas == ["wal", 2]  # 2 = FULL


def test_foreign_keys_are_enforced(store: SqlStore) -> None:
    assert execute(store.database, "PRAGMA foreign_keys") == [(1,)]


def test_a_secret_is_in_none_of_the_files(target: Target, path: Path) -> None:
    store = target.open()
    secret = store.create_key(KeySpec(name="laptop")).secret
    random_part = secret.split("-", 2)[2].encode()

    while_open = b"".join(one.read_bytes() for one in path.parent.iterdir())
    store.close()

    assert b"laptop" in while_open
    assert random_part not in while_open + path.read_bytes()


def test_what_was_appended_survives_a_killed_process(target: Target) -> None:
    script = (
        "import os, signal\n"
        "from neuroforge.storage.store import open_store\n"
        "from tests.unit.storage.database import event\n"
        f"store = open_store({target.url!r}, lambda: 1.0)\n"
        "store.append((event(1), event(2)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9

    assert target.open().verify().n_records == 2


def test_replacing_a_record_is_refused(store: SqlStore) -> None:
    store.append((event(1), event(2)))

    with pytest.raises(StorageError, match="append-only"):
        execute(
            store.database, "INSERT OR REPLACE INTO nf_audit (seq, event, previous_hash, hash) VALUES (1, '{}', '', '')"
        )
    with pytest.raises(StorageError, match="one row"):
        execute(store.database, "INSERT OR REPLACE INTO nf_audit_head (id, seq, hash) VALUES (1, 0, '')")


@pytest.mark.parametrize("value", ["x'00ff'", "CAST(x'00ff' AS TEXT)"])
def test_an_event_that_is_not_text_does_not_verify(store: SqlStore, value: str) -> None:
    store.append((event(1), event(2)))
    tamper(store.database, f"UPDATE nf_audit SET event = {value} WHERE seq = 2")

    verdict = store.verify()

    assert (verdict.is_intact, verdict.first_bad_seq) == (False, 2)


def test_a_file_that_is_no_database_is_named_with_a_remedy(target: Target, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not the bytes of a database" * 100)

    with pytest.raises(StorageError, match="file is not a database; move the file away, or put a backup") as caught:
        target.open()
    assert str(path) in caught.value.message


def test_a_damaged_page_is_named_with_a_remedy(target: Target, path: Path) -> None:
    store = target.open()
    store.append(tuple(event(number) for number in range(200)))
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    with pytest.raises(StorageError, match="malformed") as caught:
        target.open().verify()
    assert str(path) in caught.value.message


def test_first_openers_in_several_processes_all_succeed(target: Target) -> None:
    script = f"from neuroforge.storage.store import open_store; open_store({target.url!r}, lambda: 1.0).list_keys()"
    with ExitStack() as ending:  # a failure must not leave processes to the tests that follow
        processes = [ending.enter_context(subprocess.Popen([sys.executable, "-c", script])) for _ in range(3)]

        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_a_second_store_in_the_process_leaves_the_locks_of_the_first_alone(target: Target, path: Path) -> None:
    first = target.open()
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "connection.execute('PRAGMA locking_mode = EXCLUSIVE')\n"
        "connection.execute('PRAGMA journal_mode = DELETE')\n"
    )
    with first.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM nf_audit")
        target.open()
        intruder = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
        )

    assert "database is locked" in intruder.stderr


def test_a_place_that_cannot_hold_a_file_is_named_with_a_remedy(target: Target, path: Path) -> None:
    path.parent.write_text("a file where the directory should be")

    with pytest.raises(StorageError, match=r"File exists; set storage\.home to a directory") as caught:
        target.open()
    assert str(path) in caught.value.message
