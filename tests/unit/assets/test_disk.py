import errno
import threading
from pathlib import Path

import pytest

from neuroforge.assets.disk import disk_full_is_ours, used_bytes, write_atomically
from neuroforge.assets.failures import SourceFailed, redact_url
from neuroforge.assets.parallel import run_in_parallel
from neuroforge.errors import DiskFull


def test_a_disk_that_fills_up_while_writing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="free some space and pull again"), disk_full_is_ours(tmp_path, lambda _: 7):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_other_system_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), disk_full_is_ours(tmp_path, lambda _: 7):
        raise PermissionError(errno.EACCES, "denied")


def test_links_use_no_space(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(b"12345")
    (tmp_path / "b").symlink_to(tmp_path / "sub/a")
    assert used_bytes(tmp_path) == 5


def test_an_atomic_write_leaves_only_the_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", "one")
    write_atomically(tmp_path / "x", "two")
    assert [one.read_text() for one in tmp_path.iterdir()] == ["two"]


def test_urls_are_shown_without_user_password_and_query() -> None:
    assert redact_url("https://me:secret@host.example:8/p/f?token=x#y") == "https://host.example:8/p/f"


def test_a_full_disk_is_raised_before_a_failed_source_and_stops_the_others() -> None:
    stop, both_run = threading.Event(), threading.Barrier(2)

    def fail(error: Exception) -> None:
        both_run.wait(10)
        raise error

    with pytest.raises(DiskFull):
        run_in_parallel([lambda: fail(SourceFailed("x")), lambda: fail(DiskFull("full"))], stop)
    assert stop.is_set()


def test_a_failed_source_stops_nothing() -> None:
    stop = threading.Event()

    def fail() -> None:
        raise SourceFailed("x")

    with pytest.raises(SourceFailed):
        run_in_parallel([fail], stop)
    assert not stop.is_set()
