import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from neuroforge.assets.disk import RESERVE_BYTES
from neuroforge.assets.download import Download, Downloader
from neuroforge.assets.failures import SourceFailed
from neuroforge.assets.progress import Meter
from neuroforge.errors import DiskFull
from tests.unit.assets.asset_server import AssetServer
from tests.unit.assets.conftest import LARGE

DATA = bytes(range(256)) * 4000


class Bench:
    """A downloader whose waiting is only counted."""

    def __init__(self, free: int = LARGE) -> None:
        self.waits_s: list[float] = []
        self.session = requests.Session()
        self.reports: list[tuple[str, int, int | None]] = []
        self.stop = threading.Event()
        self.downloader = Downloader(self.session, self.stop, lambda _: free, self.waits_s.append)
        self.meter = Meter("tiny", lambda *report: self.reports.append(report))

    def fetch(self, url: str, target: Path, n_bytes: int | None = len(DATA), is_pinned: bool = True) -> bytes:
        wanted = Download(url, target, part="p", n_bytes=n_bytes, is_pinned=is_pinned)
        return self.downloader.fetch(wanted, self.meter).read_bytes()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.session.close()


def test_a_download_reports_how_far_it_is(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA)
    assert bench.fetch(f"{server.url}/f", tmp_path / "f") == DATA
    assert bench.reports[-1] == ("tiny", len(DATA), len(DATA))
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_broken_connection_is_continued_where_it_broke(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA, breaks_after=[600_000, 300_000])
    assert bench.fetch(f"{server.url}/f", tmp_path / "f") == DATA
    first, second, third = server.ranges["/f"]
    assert first is None
    assert second is not None
    assert 0 < int(second[6:-1]) <= 600_000
    assert third is not None
    assert int(second[6:-1]) < int(third[6:-1]) <= 900_000


def test_a_server_without_ranges_is_read_from_the_start_again(
    bench: Bench, server: AssetServer, tmp_path: Path
) -> None:
    server.put("/f", DATA, breaks_after=[600_000], has_ranges=False)
    assert bench.fetch(f"{server.url}/f", tmp_path / "f") == DATA


def test_another_version_is_not_appended_to_the_old_one(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"old")
    (tmp_path / "f.version").write_text('"1"')
    server.put("/f", DATA, etag='"2"')
    assert bench.fetch(f"{server.url}/f", tmp_path / "f", is_pinned=False) == DATA


def test_an_unpinned_rest_without_a_version_is_fetched_anew(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"other bytes")
    server.put("/f", DATA)
    assert bench.fetch(f"{server.url}/f", tmp_path / "f", is_pinned=False) == DATA
    assert server.ranges["/f"] == [None]


def test_a_server_that_answers_busy_is_asked_again_later(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA, statuses=[503, 429])
    assert bench.fetch(f"{server.url}/f", tmp_path / "f") == DATA
    assert bench.waits_s == [1.0, 2.0]


def test_it_gives_up_after_attempts_without_progress(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA, statuses=[503] * 9)
    with pytest.raises(SourceFailed, match="the server answered 503"):
        bench.fetch(f"{server.url}/f", tmp_path / "f")
    assert len(server.ranges["/f"]) == 4


def test_a_refusal_is_final_and_names_no_secret(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA, statuses=[403])
    secret_url = server.url.replace("http://", "http://user:hunter2@") + "/f?token=hunter2"
    with pytest.raises(SourceFailed, match=r"the server answered 403 \(credentials\?\)") as caught:
        bench.fetch(secret_url, tmp_path / "f")
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_host_is_tried_once(bench: Bench, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(SourceFailed, match="connection refused"):
            bench.fetch("http://127.0.0.1:9/f", tmp_path / "f")
    assert bench.waits_s == []


def test_another_size_than_announced_is_refused_before_the_first_byte(
    bench: Bench, server: AssetServer, tmp_path: Path
) -> None:
    server.put("/f", DATA)
    with pytest.raises(SourceFailed, match="offers 1,024,000 bytes, not 5"):
        bench.fetch(f"{server.url}/f", tmp_path / "f", n_bytes=5)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_found_before_the_first_byte(server: AssetServer, tmp_path: Path) -> None:
    bench = Bench(free=RESERVE_BYTES + len(DATA) - 1)
    server.put("/f", DATA)
    with pytest.raises(DiskFull, match="free 1 bytes"):
        bench.fetch(f"{server.url}/f", tmp_path / "f", n_bytes=None)
    bench.session.close()


def test_a_stopped_download_keeps_what_came(bench: Bench, server: AssetServer, tmp_path: Path) -> None:
    server.put("/f", DATA)
    bench.meter = Meter("tiny", lambda *_: bench.stop.set())
    with pytest.raises(SourceFailed, match="stopped"):
        bench.fetch(f"{server.url}/f", tmp_path / "f")
    assert 0 < (tmp_path / "f.part").stat().st_size < len(DATA)


def test_a_file_url_is_used_where_it_lies(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(b"x")
    assert bench.fetch((tmp_path / "a b").as_uri(), tmp_path / "never") == b"x"
    assert not (tmp_path / "never").exists()
