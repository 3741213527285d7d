from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.outcomes import FitUpload
from neuroforge.errors import DataError, RequestError
from neuroforge.router.fit_upload import read_upload


def read_names(directory: Path) -> bytes:
    return " ".join(sorted(f"{one.name}={one.read_text()}" for one in directory.iterdir())).encode()


def test_files_are_read_as_a_directory() -> None:
    upload = FitUpload(files={"router.json": "e30=", "weights.safetensors": ""})

    assert read_upload(upload, read_names) == b"router.json={} weights.safetensors="


def test_a_directory_of_the_head_node_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "router.json").write_text("here")

    assert read_upload(FitUpload(path=str(tmp_path)), read_names) == b"router.json=here"


@pytest.mark.parametrize(
    "files",
    [{}, {"../escape": ""}, {"/etc/passwd": ""}, {".hidden": ""}, {"a": "not base64!"}, {"a\0": ""}],
)
def test_files_that_cannot_be_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="files: "):
        read_upload(FitUpload(files=files), read_names)


@pytest.mark.parametrize("path", ["relative/dir", "/no/such/directory"])
def test_a_path_that_is_no_directory_is_refused(path: str) -> None:
    with pytest.raises(RequestError, match="is no directory on the head node"):
        read_upload(FitUpload(path=path), read_names)


def test_what_the_reader_says_is_handed_on_without_our_own_path(tmp_path: Path) -> None:
    def refuse(directory: Path) -> Any:
        raise DataError(f"{directory}: made with another embedder")

    with pytest.raises(DataError, match=r"^the router directory: made with another embedder"):
        read_upload(FitUpload(files={"router.json": "e30="}), refuse)

    with pytest.raises(DataError, match="another embedder"):
        read_upload(FitUpload(path=str(tmp_path)), refuse)
