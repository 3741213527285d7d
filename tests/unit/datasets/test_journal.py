from pathlib import Path

import pytest

from neuroforge.datasets.journal import Journal, read_answers
from neuroforge.errors import ConflictError, DataError
from neuroforge.storage.append_log import SYNC_ROWS, SYNC_S
from tests.fakes import FakeClock
from tests.unit.datasets.fakes import answer, failure


def journal(path: Path, clock: FakeClock | None = None, synced: list[int] | None = None) -> Journal:
    return Journal(
        path, clock or FakeClock(), (lambda fd: synced.append(fd)) if synced is not None else lambda fd: None
    )


def test_answers_come_back(tmp_path: Path) -> None:
    with journal(tmp_path / "a.jsonl") as kept:
        kept.append(answer("c1"))
        kept.append(failure("c2"))
    assert read_answers(tmp_path / "a.jsonl") == {"c1": answer("c1"), "c2": failure("c2")}


def test_a_row_is_with_the_kernel_before_append_returns(tmp_path: Path) -> None:
    with journal(tmp_path / "a.jsonl") as kept:
        kept.append(answer("c1"))
        assert list(read_answers(tmp_path / "a.jsonl")) == ["c1"]


def test_the_last_row_of_a_cell_counts(tmp_path: Path) -> None:
    with journal(tmp_path / "a.jsonl") as kept:
        kept.append(failure("c1"))
        kept.append(answer("c1"))
    assert read_answers(tmp_path / "a.jsonl") == {"c1": answer("c1")}


@pytest.mark.parametrize("n_cut", [1, 5, 40])
def test_a_line_torn_by_a_kill_is_dropped_and_not_glued_to_the_next(tmp_path: Path, n_cut: int) -> None:
    path = tmp_path / "a.jsonl"
    with journal(path) as kept:
        kept.append(answer("c1"))
        kept.append(answer("c2"))
    path.write_bytes(path.read_bytes()[:-n_cut])
    with journal(path) as kept:
        kept.append(answer("c3"))
    assert list(read_answers(path)) == ["c1", "c3"]


def test_the_disk_is_asked_every_so_many_rows(tmp_path: Path) -> None:
    synced: list[int] = []
    with journal(tmp_path / "a.jsonl", synced=synced) as kept:
        for number in range(SYNC_ROWS * 2):
            kept.append(answer(f"c{number}"))
        assert len(synced) == 2


def test_the_disk_is_asked_after_a_while(tmp_path: Path) -> None:
    synced: list[int] = []
    clock = FakeClock()
    with journal(tmp_path / "a.jsonl", clock, synced) as kept:
        kept.append(answer("c1"))
        clock.advance(SYNC_S)
        kept.append(answer("c2"))
        assert len(synced) == 1


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with journal(tmp_path / "a.jsonl"), pytest.raises(ConflictError, match="another process"):
        journal(tmp_path / "a.jsonl")


def test_after_closing_it_can_be_opened_again(tmp_path: Path) -> None:
    journal(tmp_path / "a.jsonl").close()
    journal(tmp_path / "a.jsonl").close()


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"query": "x"}\n')
    with pytest.raises(DataError, match="line 1 is no answer"):
        journal(path)
    assert path.read_text() == '{"query": "x"}\n'
    path.unlink()
    journal(path).close()
