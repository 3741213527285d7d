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


def test_a_file_is_read_in_pieces(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "exp-1" / "report.md").write_bytes(b"0123456789")
    reader = ExperimentReader(shelf)
    assert reader.find_file("exp-1", "report.md").n_bytes == 10
    assert [reader.read_file("exp-1", "report.md", offset, 4) for offset in (0, 4, 8, 12)] == [
        b"0123", b"4567", b"89", b""
    ]  # fmt: skip


def test_without_cells_there_is_nothing_to_compare_and_the_reason_is_told(shelf: Shelf) -> None:
    with pytest.raises(ConflictError, match=r"no cells\.parquet yet: it is failed: why"):
        ExperimentReader(shelf).runs("exp-1")
    with pytest.raises(NotFound, match="exp-2"):
        ExperimentReader(shelf).runs("exp-2")
