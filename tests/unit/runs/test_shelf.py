from pathlib import Path

import pytest

from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.runs import FilePiece
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
    found = shelf.find_file("exp-1", "report.md")
    pieces = [FilePiece(version=found.version, offset=offset, n_bytes=4) for offset in (0, 4, 8, 12)]
    assert found.n_bytes == 10
    assert [shelf.read_file("exp-1", "report.md", one) for one in pieces] == [b"0123", b"4567", b"89", b""]


def test_pieces_of_a_file_that_was_written_anew_are_not_mixed(
    shelf: RunShelf[ExperimentStatus], tmp_path: Path
) -> None:
    path = tmp_path / "exp-1" / "report.md"
    path.write_bytes(b"0123456789")
    old = FilePiece(version=shelf.find_file("exp-1", "report.md").version, offset=0, n_bytes=4)
    assert shelf.read_file("exp-1", "report.md", old) == b"0123"
    anew = tmp_path / "anew"
    anew.write_bytes(b"abcdefghij")
    anew.replace(path)
    with pytest.raises(ConflictError, match="written anew while it was read: get it again"):
        shelf.read_file("exp-1", "report.md", old)
    new = FilePiece(version=shelf.find_file("exp-1", "report.md").version, offset=0, n_bytes=4)
    assert shelf.read_file("exp-1", "report.md", new) == b"abcd"


def test_a_file_that_is_not_there_says_how_the_run_ended(shelf: RunShelf[ExperimentStatus]) -> None:
    with pytest.raises(ConflictError, match=r"experiment 'exp-1' has no report\.md yet: it is failed: why"):
        shelf.find_file("exp-1", "report.md")
