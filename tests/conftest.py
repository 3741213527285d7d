"""What every test may ask for: real models, pulled once into a cache that test runs share."""

import os
from pathlib import Path

import pytest

from neuroforge.assets.store import AssetStore

REPOSITORY = Path(__file__).resolve().parent.parent


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
