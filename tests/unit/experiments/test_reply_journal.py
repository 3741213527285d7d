"""Replies that survive."""

from pathlib import Path

import pytest

from neuroforge.contracts.experiments import CellReply
from neuroforge.errors import ConflictError, DataError, DiskFull
from neuroforge.experiments.journal import JournalIndex, ReplyJournal, next_run_number, wait_for_writers
from tests.fakes import FakeClock


def reply(cell: str, text: str | None = "yes", **changes: object) -> CellReply:
    failure = {} if text is not None else {"error_code": "model_unavailable", "error": "gone", "is_retryable": True}
    values = {"cell_id": cell, "cache_key": f"k{cell}", "reply": text, "at_s": 1.0}
    return CellReply.model_validate({**values, **failure, **changes})


def write(directory: Path, writer: str, *replies: CellReply) -> None:
    journal = ReplyJournal(directory, writer, FakeClock())
    journal.append(replies)
    journal.close()


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    write(tmp_path, "000001-000", reply("a"), reply("b", "no"))
    index = JournalIndex(tmp_path)
    assert [one.reply for one in index.read(["b", "gone", "a"])] == ["no", "yes"]
    assert [len(part) for part in index.replies(1)] == [1, 1]


def test_the_later_run_counts(tmp_path: Path) -> None:
    write(tmp_path, "000002-000", reply("a", "late"))
    write(tmp_path, "000001-000", reply("a", None), reply("b", None))
    index = JournalIndex(tmp_path)
    assert index.is_settled("a")
    assert not index.is_settled("b")
    assert next(index.read(["a"])).reply == "late"
    assert next_run_number(tmp_path) == 3


def test_a_torn_line_is_no_reply_and_is_cut_by_the_next_writer(tmp_path: Path) -> None:
    write(tmp_path, "1-0", reply("a"))
    path = tmp_path / "journal" / "1-0.jsonl"
    path.write_bytes(path.read_bytes() + b'{"cell_id": "b", "rep')
    assert len(JournalIndex(tmp_path)) == 1
    write(tmp_path, "1-0", reply("c"))
    assert [one.cell_id for one in JournalIndex(tmp_path).read(["a", "b", "c"])] == ["a", "c"]


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    write(tmp_path, "1-0", reply("a"))
    path = tmp_path / "journal" / "1-0.jsonl"
    path.write_bytes(path.read_bytes() + b"[]\n")
    with pytest.raises(DataError, match=r"1-0\.jsonl: line 2 is no reply"):
        JournalIndex(tmp_path)


def test_a_writer_keeps_others_out_until_it_closes(tmp_path: Path) -> None:
    journal = ReplyJournal(tmp_path, "1-0", FakeClock())
    with pytest.raises(ConflictError, match="another process"):
        ReplyJournal(tmp_path, "1-0", FakeClock())
    with pytest.raises(ConflictError, match="another process"):
        wait_for_writers(tmp_path, timeout_s=0)
    journal.close()
    wait_for_writers(tmp_path, timeout_s=0)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "1-0.jsonl").symlink_to("/dev/full")
    journal = ReplyJournal(tmp_path, "1-0", FakeClock())
    with pytest.raises(DiskFull, match="No space left on device"):
        journal.append([reply("a")])
    with pytest.raises(DiskFull):
        journal.append([reply("b")])
    journal.close()
