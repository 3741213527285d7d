"""ObjectStore on a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from neuroforge.contracts.ports_experiments import ObjectStore
from neuroforge.errors import NotFound, StorageError
from neuroforge.storage.objects import open_objects
from tests.services.seaweed import s3_server

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with s3_server(tmp_path_factory.mktemp("s3")) as environment:
        yield environment


@pytest.fixture
def store(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).makedirs("results", exist_ok=True)
    return open_objects(f"s3://results/{tmp_path.name}", default=tmp_path)


def test_a_file_of_several_parts_comes_back_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * (1 << 16)  # 16 MiB
    (tmp_path / "cells.parquet").write_bytes(content)
    address = store.put("experiments/exp-1/cells.parquet", tmp_path / "cells.parquet")
    store.get("experiments/exp-1/cells.parquet", tmp_path / "again.parquet")
    assert address == f"s3://results/{tmp_path.name}/experiments/exp-1/cells.parquet"
    assert (tmp_path / "again.parquet").read_bytes() == content


def test_keys_are_listed_by_their_beginning(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    for key in ("experiments/exp-1/report.md", "experiments/exp-1/cells.parquet", "experiments/exp-2/report.md"):
        store.put(key, tmp_path / "x")
    assert store.list("experiments/exp-1/") == ("experiments/exp-1/cells.parquet", "experiments/exp-1/report.md")
    assert len(store.list("experiments/")) == 3
    assert store.list("nothing/") == ()


def test_an_object_is_replaced_whole(store: ObjectStore, tmp_path: Path) -> None:
    for text in ("old and longer", "new"):
        (tmp_path / "x").write_text(text)
        store.put("report.md", tmp_path / "x")
    store.get("report.md", tmp_path / "y")
    assert (tmp_path / "y").read_text() == "new"


def test_a_missing_object_is_not_found_and_leaves_no_file(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.md"):
        store.get("gone.md", tmp_path / "y")
    assert list(tmp_path.iterdir()) == []


def test_wrong_credentials_are_a_storage_error(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    (tmp_path / "x").write_text("x")
    with pytest.raises(StorageError, match="x/y"):
        open_objects("s3://results/other", default=tmp_path).put("x/y", tmp_path / "x")
