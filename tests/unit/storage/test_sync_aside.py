"""The disk is asked aside."""

import os
import threading
from pathlib import Path

import pytest

from neuroforge.storage.append_log import AppendLog
from neuroforge.storage.sync_aside import SyncAside
from tests.fakes import FakeClock


def test_appending_goes_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    may_end, n_synced = threading.Event(), []
    aside = SyncAside(lambda file: n_synced.append(may_end.wait(10)))
    log = AppendLog(tmp_path / "log", FakeClock(), aside)
    for _ in range(5):
        log.append(*[b"line"] * 16)
    assert (tmp_path / "log").read_bytes() == b"line\n" * 80
    may_end.set()
    log.close()
    aside.close()
    assert n_synced in ([True], [True, True])  # one that runs, and at most one for all that was written meanwhile


def test_what_is_asked_after_a_sync_began_is_asked_again() -> None:
    has_begun, may_end, sizes = threading.Semaphore(0), threading.Semaphore(0), []

    def keep(file: int) -> None:
        sizes.append(os.fstat(file).st_size)
        has_begun.release()
        may_end.acquire(timeout=10)

    reader, writer = os.pipe()
    aside = SyncAside(keep)
    aside(writer)
    has_begun.acquire(timeout=10)
    aside(writer)
    aside(writer)
    may_end.release(2)
    aside.close()
    assert len(sizes) == 2
    os.close(reader)
    os.close(writer)


def test_that_the_disk_refused_is_told_once(tmp_path: Path) -> None:
    def refuse(_file: int) -> None:
        raise OSError(28, "No space left on device")

    aside = SyncAside(refuse)
    with (tmp_path / "file").open("wb") as file:
        aside(file.fileno())
        with pytest.raises(OSError, match="No space left"):
            aside.close()
        aside.close()


def test_the_file_may_be_closed_before_the_disk_was_asked(tmp_path: Path) -> None:
    may_begin, seen = threading.Event(), []

    def keep(file: int) -> None:
        may_begin.wait(10)
        seen.append(os.fstat(file).st_size)

    aside = SyncAside(keep)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        file.write(b"abc")
        aside(file.fileno())
    may_begin.set()
    aside.close()
    assert seen == [3]
