from pathlib import Path

import pytest

from cluster.prepare import check_fit, refuse_unusable_fit
from neuroforge.errors import ConfigError
from neuroforge.settings import Settings


def test_without_a_fit_there_is_nothing_to_check() -> None:
    check_fit(Settings())


def test_a_fit_that_cannot_be_applied_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"router\.fit: .*nowhere: not a router directory"):
        refuse_unusable_fit(tmp_path / "nowhere", "0" * 64)
