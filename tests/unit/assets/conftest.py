"""A loopback server, and stores that reach nothing else."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.assets import AssetEntry, AssetFile, Source
from tests.unit.assets.asset_server import AssetServer, digest

LARGE = 10**15


@pytest.fixture
def server() -> Iterator[AssetServer]:
    running = AssetServer()
    yield running
    running.close()


@pytest.fixture
def environ(server: AssetServer) -> dict[str, str]:
    """Everything that a store may read of the environment: hub and Python index are the loopback server."""
    return {
        "PATH": os.environ["PATH"],
        "HF_ENDPOINT": server.url,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{server.url}/simple",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


StoreMaker = Callable[..., AssetStore]


@pytest.fixture
def make_store(tmp_path: Path, environ: Mapping[str, str]) -> StoreMaker:
    def make(*entries: AssetEntry, free: int = LARGE) -> AssetStore:
        return AssetStore(tmp_path / "home", environ=environ, free_space=lambda _: free, builtin=entries)

    return make


def entry_of(data: bytes, *sources: Source, name: str = "tiny", filename: str = "tiny.bin") -> AssetEntry:
    file = AssetFile(name=filename, sha256=digest(data), n_bytes=len(data), sources=sources)
    return AssetEntry(name=name, kind="model", licence="MIT", files=(file,))
