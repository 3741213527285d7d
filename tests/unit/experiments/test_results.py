from pathlib import Path

import pytest

from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig, ExperimentStatus
from neuroforge.errors import ConflictError, NotFound
from neuroforge.experiments.results import ExperimentReader
from neuroforge.experiments.shelf import Shelf

CONFIG = ExperimentConfig(name="study", models=("a",), datasets=(DatasetSource(name="mmlu"),))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    (tmp_path / "exp-1").mkdir()
    shelf.save(ExperimentStatus(id="exp-1", name="study", state="failed", config=CONFIG, created_at_s=1, error="why"))
    return shelf


def test_without_cells_there_is_nothing_to_compare_and_the_reason_is_told(shelf: Shelf) -> None:
    with pytest.raises(ConflictError, match=r"no cells\.parquet yet: it is failed: why"):
        ExperimentReader(shelf).runs("exp-1")
    with pytest.raises(NotFound, match="exp-2"):
        ExperimentReader(shelf).runs("exp-2")
