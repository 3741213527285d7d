"""What tests of runs share."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Return a directory without neighbours: a run learns from the runs beside it, and may not from other tests'."""
    alone = tmp_path / "alone"
    alone.mkdir()
    return alone
