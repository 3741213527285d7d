"""Pulls in processes of their own: killed in the middle, or two at once."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from neuroforge.contracts.assets import AssetEntry, UrlSource
from tests.unit.assets.asset_server import AssetServer
from tests.unit.assets.conftest import StoreMaker, entry_of

DATA = bytes(range(256)) * 8000
SCRIPT = """
import sys
from pathlib import Path
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.assets import AssetEntry
entry = AssetEntry.model_validate_json(sys.argv[2])
store = AssetStore(Path(sys.argv[1]), builtin=(entry,))
print(store.ensure(entry.name, lambda name, done, total: print(done, flush=True)), flush=True)
"""

StartPull = Callable[[Path, AssetEntry], "subprocess.Popen[str]"]


@pytest.fixture
def start_pull() -> Iterator[StartPull]:
    with ExitStack() as running:

        def start(home: Path, entry: AssetEntry) -> "subprocess.Popen[str]":
            command = (sys.executable, "-c", SCRIPT, str(home), entry.model_dump_json())
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            running.callback(process.kill)
            return process

        yield start


def test_a_killed_pull_is_continued_by_the_next(
    server: AssetServer, make_store: StoreMaker, start_pull: StartPull
) -> None:
    gate = threading.Event()
    server.put("/f", DATA, gate=gate, pauses_after=1_200_000)
    entry = entry_of(DATA, UrlSource(url=f"{server.url}/f"))
    store = make_store(entry)
    process = start_pull(store.directory.parent, entry)
    assert process.stdout is not None
    assert any(int(line) >= 1_000_000 for line in process.stdout)
    process.kill()
    process.wait()
    gate.set()
    assert not store.status("tiny").is_present
    assert store.ensure("tiny").read_bytes() == DATA
    continued = server.ranges["/f"][1]
    assert continued is not None
    assert int(continued[6:-1]) >= 500_000


def test_of_two_processes_one_pulls_and_the_other_waits(
    server: AssetServer, make_store: StoreMaker, start_pull: StartPull
) -> None:
    gate = threading.Event()
    server.put("/f", DATA, gate=gate, pauses_after=1_200_000)
    entry = entry_of(DATA, UrlSource(url=f"{server.url}/f"))
    store = make_store(entry)
    processes = [start_pull(store.directory.parent, entry) for _ in range(2)]
    gate.set()
    last_lines = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    assert last_lines == [str(store.path("tiny"))] * 2
    assert server.ranges["/f"] == [None]
