import contextlib
import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.assets import archive as archive_module
from neuroforge.assets.archive import stream_member
from neuroforge.assets.failures import SourceFailed
from tests.unit.assets.asset_server import make_tgz, make_zip

MEMBERS = {"pkg/data/part01.bin": b"wanted", "pkg/__init__.py": b"raise SystemExit"}
MAKERS = pytest.mark.parametrize("make", [make_zip, make_tgz])


def read(data: bytes, pattern: str, path: Path, max_bytes: int = 1000) -> bytes:
    path.write_bytes(data)
    return b"".join(stream_member(path, pattern, max_bytes))


@MAKERS
def test_the_named_member_comes_out(make: type, tmp_path: Path) -> None:
    assert read(make(MEMBERS), "pkg/data/part01.bin", tmp_path / "a") == b"wanted"


@MAKERS
def test_a_glob_crosses_directories(make: type, tmp_path: Path) -> None:
    assert read(make(MEMBERS), "*/part01.bin", tmp_path / "a") == b"wanted"


@MAKERS
def test_two_matches_are_refused(make: type, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="more than one member"):
        read(make(MEMBERS), "pkg/*", tmp_path / "a")


@MAKERS
def test_no_match_is_refused(make: type, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="no member matches"):
        read(make(MEMBERS), "other/*", tmp_path / "a")


@MAKERS
def test_a_member_that_unpacks_to_more_than_announced_is_refused(make: type, tmp_path: Path) -> None:
    bomb = make({"pkg/data/part01.bin": bytes(5_000_000)})
    assert len(bomb) < 20_000
    with pytest.raises(SourceFailed, match="larger than 1,000 bytes"):
        read(bomb, "*/part01.bin", tmp_path / "a")


@MAKERS
def test_a_name_that_climbs_out_writes_nothing(make: type, tmp_path: Path) -> None:
    data = make({"../../evil.bin": b"x", "pkg/part01.bin": b"wanted"})
    assert read(data, "pkg/part01.bin", tmp_path / "a") == b"wanted"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


@MAKERS
def test_a_cut_archive_is_refused(make: type, tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(50_000)
    data = make({"pkg/data/part01.bin": noise})
    with pytest.raises(SourceFailed, match="damaged"):
        read(data[: len(data) // 2], "*/part01.bin", tmp_path / "a", max_bytes=100_000)


def test_a_link_in_a_tar_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        link = tarfile.TarInfo("pkg/part01.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    with pytest.raises(SourceFailed, match="not a plain file"):
        read(buffer.getvalue(), "*/part01.bin", tmp_path / "a")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(make_zip({"part01.bin": b"x"}))
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    with pytest.raises(SourceFailed, match="encrypted"):
        read(bytes(data), "part01.bin", tmp_path / "a")


def test_a_tar_header_of_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    data = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(SourceFailed, match="damaged"):
        read(data, "*", tmp_path / "a")


def test_what_an_archive_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_UNPACKED_BYTES", 100_000)
    with pytest.raises(SourceFailed, match="damaged"):
        read(make_tgz({"other.bin": bytes(1_000_000), "part01.bin": b"x"}), "part01.bin", tmp_path / "a")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_ENTRIES", 2)
    for make in (make_zip, make_tgz):
        with pytest.raises(SourceFailed, match="more than 2 members"):
            read(make({"a": b"", "b": b"", "part01.bin": b"x"}), "part01.bin", tmp_path / "a")


@settings(deadline=None)
@given(data=st.data())
def test_any_damage_ends_in_content_or_a_clear_failure(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    make = data.draw(st.sampled_from([make_zip, make_tgz]))
    archive = bytearray(make(MEMBERS))
    for _ in range(data.draw(st.integers(0, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    with contextlib.suppress(SourceFailed):
        assert len(read(bytes(archive), "*/part01.bin", path)) <= 1000


def test_a_zip_with_unusual_compression_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("part01.bin", b"x")
    with pytest.raises(SourceFailed, match="unusual"):
        read(buffer.getvalue(), "part01.bin", tmp_path / "a")
