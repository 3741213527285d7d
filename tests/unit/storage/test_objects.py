import errno
from pathlib import Path

import pytest

from neuroforge.errors import ConfigError, DiskFull, NotFound, StorageError
from neuroforge.storage.objects import DirectoryObjects, S3Objects, open_objects


def written(path: Path, text: str = "rows") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_was_put_is_listed_and_got(tmp_path: Path) -> None:
    store = open_objects((tmp_path / "store").as_uri(), default=tmp_path)
    address = store.put("experiments/exp-1/cells.parquet", written(tmp_path / "cells.parquet"))
    store.get("experiments/exp-1/cells.parquet", tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_text() == "rows"
    assert store.list("experiments/exp-1/") == ("experiments/exp-1/cells.parquet",)
    assert address == (tmp_path / "store/experiments/exp-1/cells.parquet").as_uri()


def test_the_default_directory_keeps_a_file_that_lies_there_already(tmp_path: Path) -> None:
    path = written(tmp_path / "experiments/exp-1/report.md")
    before = path.stat().st_ino
    open_objects(None, default=tmp_path).put("experiments/exp-1/report.md", path)
    assert (path.stat().st_ino, path.read_text()) == (before, "rows")


def test_a_prefix_may_end_in_the_middle_of_a_name(tmp_path: Path) -> None:
    store = DirectoryObjects(tmp_path)
    for name in ("a/one.txt", "a/other.txt", "b/one.txt"):
        written(tmp_path / name)
    assert store.list("a/on") == ("a/one.txt",)
    assert store.list("c/") == ()


@pytest.mark.parametrize("key", ["../out", "/etc/passwd", "a//b", "a/./b", "", "a\\b"])
def test_a_key_cannot_leave_the_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(StorageError, match="no object key"):
        DirectoryObjects(tmp_path / "store").put(key, written(tmp_path / "x"))


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="a/b"):
        DirectoryObjects(tmp_path).get("a/b", tmp_path / "out")


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "plain"])
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="objects_url"):
        open_objects(url, default=tmp_path)


class BrokenFiles:
    """An fsspec filesystem that fails as told."""

    def __init__(self, error: OSError) -> None:
        self.error = error

    def put_file(self, local: str, remote: str) -> None:
        raise self.error

    def get_file(self, remote: str, local: str) -> None:
        Path(local).write_text("half")
        raise self.error


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EACCES, StorageError), (errno.ENOENT, NotFound)]
)
def test_what_s3_refuses_is_our_own_error(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    store = S3Objects("bucket/prefix", BrokenFiles(OSError(number, "refused")))
    with pytest.raises(kind, match="exp-1"):
        store.put("exp-1", written(tmp_path / "x"))


def test_a_download_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    store = S3Objects("bucket/prefix", BrokenFiles(OSError(errno.EIO, "broken")))
    with pytest.raises(StorageError):
        store.get("exp-1", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
