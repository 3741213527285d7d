from pathlib import Path

import pytest

from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig, ExperimentStatus
from neuroforge.errors import ConflictError
from neuroforge.experiments.shelf import KIND
from neuroforge.runs.shelf import RunShelf

CONFIG = ExperimentConfig(name="study", models=("a",), datasets=(DatasetSource(name="mmlu"),))


@pytest.fixture
def shelf(tmp_path: Path) -> RunShelf[ExperimentStatus]:
    shelf = RunShelf(tmp_path, KIND)
    (tmp_path / "exp-1").mkdir()
    shelf.save(ExperimentStatus(id="exp-1", name="study", state="failed", config=CONFIG, created_at_s=1, error="why"))
    return shelf


def test_a_file_is_read_in_pieces(shelf: RunShelf[ExperimentStatus], tmp_path: Path) -> None:
    (tmp_path / "exp-1" / "report.md").write_bytes(b"0123456789")
    assert shelf.find_file("exp-1", "report.md").n_bytes == 10
    assert [shelf.read_file("exp-1", "report.md", offset, 4) for offset in (0, 4, 8, 12)] == [
        b"0123", b"4567", b"89", b""
    ]  # fmt: skip


def test_a_file_that_is_not_there_says_how_the_run_ended(shelf: RunShelf[ExperimentStatus]) -> None:
    with pytest.raises(ConflictError, match=r"experiment 'exp-1' has no report\.md yet: it is failed: why"):
        shelf.find_file("exp-1", "report.md")
