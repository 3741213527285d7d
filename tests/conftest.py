"""What every test may ask for: real models, pulled once into a cache that test runs share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from neuroforge.assets.store import AssetStore
from tests.server import RunningServer, serving

# How long an example takes says nothing of the code on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Without `-n` there is nothing to schedule, and xdist need not be there."""
    from tests.two_processes import SharedServerScheduling

    return SharedServerScheduling(config, log)


@pytest.fixture(scope="session")
def shared_home() -> Path:
    """A home that survives the test run: `$NEUROFORGE_TEST_HOME`, else a git-ignored directory of the repository."""
    return Path(os.environ.get("NEUROFORGE_TEST_HOME") or REPOSITORY / ".neuroforge" / "test-home").absolute()


@pytest.fixture(scope="session")
def smollm2_path(shared_home: Path) -> Path:
    """The GGUF file of the small chat model."""
    return AssetStore(shared_home).ensure("smollm2-135m-instruct")


@pytest.fixture(scope="session")
def potion_path(shared_home: Path) -> Path:
    """The directory of the router's embedder."""
    return AssetStore(shared_home).ensure("potion-base-8m")


SMALL_FLEET = {
    "models": [
        {
            "id": "smollm2-135m-instruct",
            "context_length": 2048,
            "parallel": 4,
            "threads": 1,
            "price": {"input_usd_per_million": 0.1, "output_usd_per_million": 0.2},
        }
    ]
}


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> Iterator[RunningServer]:
    """One server for the whole session: the small model, keys demanded."""
    home = tmp_path_factory.mktemp("gateway")
    with serving(home, shared_home / "assets", SMALL_FLEET, with_keys=True) as server:
        yield server
