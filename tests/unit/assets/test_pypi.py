import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import requests

from neuroforge.assets.download import Downloader
from neuroforge.assets.failures import SourceFailed
from neuroforge.assets.pip_config import PipConfig, RunCommand, parse_options, read_pip_config
from neuroforge.assets.progress import Meter
from neuroforge.assets.pypi import PypiPackages
from neuroforge.contracts.assets import PackagePart
from tests.unit.assets.asset_server import AssetServer
from tests.unit.assets.conftest import LARGE

MakePackages = Callable[[PipConfig], PypiPackages]


@pytest.fixture
def packages() -> Iterator[MakePackages]:
    with requests.Session() as session:
        downloader = Downloader(session, threading.Event(), lambda _: LARGE, lambda _: None)
        yield lambda config: PypiPackages(lambda: config, lambda _: downloader)


def index_page(*filenames: str) -> bytes:
    return json.dumps(
        {"files": [{"filename": one, "url": f"../../files/{one}", "size": 5} for one in filenames]}
    ).encode()


def run_printing(listing: str, help_text: str = "", code: int = 0) -> RunCommand:
    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, code, help_text if "--help" in command else listing, "")

    return run


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("Big_Model-1.0.tar.gz", "big_model-1.0-py3-none-any.whl"), "big_model-1.0-py3-none-any.whl"),
        (("big_model-1.0-cp311-cp311-win_amd64.whl", "big-model-1.0.tar.gz"), "big-model-1.0.tar.gz"),
        (
            ("big_model-1.0.1-py3-none-any.whl", "big_model-1.0-cp311-cp311-win_amd64.whl"),
            "big_model-1.0-cp311-cp311-win_amd64.whl",
        ),
        (("big_model-1.0-../x-none-any.whl", "big_model-1.0.zip"), "big_model-1.0.zip"),
    ],
)
def test_the_simplest_archive_of_that_version_is_chosen(
    offered: tuple[str, ...], chosen: str, server: AssetServer, packages: MakePackages
) -> None:
    server.put("/simple/big-model/", index_page(*offered), content_type="application/vnd.pypi.simple.v1+json")
    found = packages(PipConfig((f"{server.url}/simple",))).locate("Big.Model", "1.0")
    assert (found.filename, found.url, found.n_bytes) == (chosen, f"{server.url}/files/{chosen}", 5)


def test_the_next_index_is_asked_when_the_first_has_no_such_version(
    server: AssetServer, packages: MakePackages
) -> None:
    server.put("/a/p/", index_page("p-2.0.tar.gz"), content_type="application/json")
    server.put("/b/p/", b"<a href='../p-1.0.tar.gz'>", content_type="text/html")
    found = packages(PipConfig((f"{server.url}/a/", f"{server.url}/b/"))).locate("p", "1.0")
    assert found.url == f"{server.url}/b/p-1.0.tar.gz"


def test_credentials_in_an_index_url_are_sent_and_never_shown(server: AssetServer, packages: MakePackages) -> None:
    base = server.url.replace("http://", "http://me:hunter2@") + "/simple"
    server.put("/simple/p/", index_page("p-2.0.tar.gz"), content_type="application/json")
    with pytest.raises(SourceFailed, match=r"has no version 1\.0") as caught:
        packages(PipConfig((base,))).locate("p", "1.0")
    assert "hunter2" not in str(caught.value)
    assert server.headers["/simple/p/"]["Authorization"].startswith("Basic ")


def test_local_directories_and_indexes_serve_in_place(tmp_path: Path, packages: MakePackages) -> None:
    (tmp_path / "simple/p").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "simple/p/p-1.0.tar.gz").write_bytes(b"one")
    (tmp_path / "links/q-1.0.tar.gz").write_bytes(b"two")
    chosen = packages(PipConfig(((tmp_path / "simple").as_uri(),), (str(tmp_path / "links"),)))
    for name, data in (("p", b"one"), ("q", b"two")):
        part = PackagePart(package=name, version="1.0", member="m")
        assert chosen.fetch(part, tmp_path / "staging", Meter("x", None)).read_bytes() == data
    assert not (tmp_path / "staging").exists()


def test_a_page_of_the_network_cannot_point_into_this_machine(server: AssetServer, packages: MakePackages) -> None:
    server.put("/simple/p/", b"<a href='file:///etc/p-1.0.tar.gz'>", content_type="text/html")
    with pytest.raises(SourceFailed, match=r"has no version 1\.0"):
        packages(PipConfig((f"{server.url}/simple",))).locate("p", "1.0")


def test_a_page_that_is_no_index_is_a_failed_source(server: AssetServer, packages: MakePackages) -> None:
    server.put("/simple/p/", b"[1, 2]", content_type="application/json")
    with pytest.raises(SourceFailed, match="not an index page"):
        packages(PipConfig((f"{server.url}/simple",))).locate("p", "1.0")


def test_no_index_at_all_is_said(packages: MakePackages) -> None:
    with pytest.raises(SourceFailed, match="configured without any index"):
        packages(PipConfig(())).locate("p", "1.0")


def test_pip_variables_override_the_download_section_and_that_the_global_one() -> None:
    listing = (
        ":env:.index-url='https://env.example/simple'\nglobal.index-url='https://global.example/simple'\n"
        "download.extra-index-url='https://a.example\\nhttps://b.example'\nglobal.extra-index-url='https://c.example'\n"
        "install.index-url='https://install.example'\n"
    )
    assert parse_options(listing) == {
        "index-url": "https://env.example/simple",
        "extra-index-url": "https://a.example\nhttps://b.example",
    }


def test_pip_configuration_is_read_whole() -> None:
    listing = (
        "global.extra-index-url='https://a.example https://b.example'\nglobal.find-links='/x'\nglobal.cert='/c.pem'\n"
    )
    usage = "  -i, --index-url <url>   Base URL of the index (default\n      https://default.example/simple). This"
    config = read_pip_config(run_printing(listing, usage))
    assert config == PipConfig(
        ("https://default.example/simple", "https://a.example", "https://b.example"), ("/x",), "/c.pem", None
    )


def test_no_index_leaves_only_links() -> None:
    assert read_pip_config(run_printing("global.no-index='true'\n")).index_urls == ()


def test_a_missing_pip_is_a_failed_source() -> None:
    with pytest.raises(SourceFailed, match="ensurepip"):
        read_pip_config(run_printing("", code=1))
