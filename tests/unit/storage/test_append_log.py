"""Lines that survive the process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neuroforge.errors import ConflictError, DiskFull
from neuroforge.storage.append_log import AppendLog
from tests.fakes import FakeClock


@contextmanager
def small_disk() -> Iterator[None]:
    """Files of this process may hold 100 bytes: the kernel refuses more, as a full disk would.

    Not a fixture: pytest writes to a file too where its output goes to one, between a test's end and its teardown.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    log = AppendLog(tmp_path / "log", FakeClock())
    log.append(b"first")
    with small_disk(), pytest.raises(DiskFull, match="File too large; what it holds is kept"):
        log.append(b"second", b"x" * 200)
    log.append(b"third")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"first\nthird\n"


def test_a_torn_line_is_cut_however_long_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"whole\n" + b"x" * 200_000)
    log = AppendLog(path, FakeClock())
    log.append(b"next")
    log.close()
    assert path.read_bytes() == b"whole\nnext\n"


def test_the_check_sees_the_file_before_anything_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"torn")

    def refuse(found: Path) -> None:
        raise ConflictError(found.read_text())

    with pytest.raises(ConflictError, match="torn"):
        AppendLog(path, FakeClock(), check=refuse)
    assert path.read_bytes() == b"torn"
    AppendLog(path, FakeClock()).close()
