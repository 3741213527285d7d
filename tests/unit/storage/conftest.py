from pathlib import Path

import pytest

from tests.unit.storage.database import store, target  # noqa: F401 - fixtures


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'neuroforge.db'}"
