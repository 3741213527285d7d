"""Logs of results: one a process, all known to each."""

from pathlib import Path

import pytest

from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.results import RESULTS, ResultLog


def result(key: str, **more: object) -> ItemResult:
    return ItemResult.model_validate({"key": key, "item_id": "i", "score": 1.0, **more})


def log(directory: Path, name: str = RESULTS) -> ResultLog:
    return ResultLog(directory / name, lambda: 0.0)


def test_what_another_process_wrote_is_known_after_a_refresh(tmp_path: Path) -> None:
    mine, theirs = log(tmp_path), log(tmp_path, "results-7.jsonl")
    theirs.add(result("a"))
    assert mine.find("a") is None

    assert mine.refresh() == (result("a"),)
    assert mine.find("a") == result("a")
    assert mine.refresh() == (), "each is told once"
    mine.close()
    theirs.close()


def test_a_new_process_knows_what_all_before_it_wrote(tmp_path: Path) -> None:
    for name, key in ((RESULTS, "a"), ("results-7.jsonl", "b"), ("results-8.jsonl", "c")):
        writer = log(tmp_path, name)
        writer.add(result(key))
        writer.close()

    again = log(tmp_path, "results-7.jsonl")

    assert [again.last(key) for key in "abc"] == [result("a"), result("b"), result("c")]
    again.close()


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    text = result("a").model_dump_json()
    path = tmp_path / "results-7.jsonl"
    path.write_text(text[:10])
    mine = log(tmp_path)
    path.write_text(text + "\n")

    assert mine.refresh() == (result("a"),)
    mine.close()


def test_a_failed_call_does_not_hide_an_answer(tmp_path: Path) -> None:
    theirs = log(tmp_path, "results-7.jsonl")
    failed = result("a", score=None, is_failed=True)
    theirs.add(failed)
    mine = log(tmp_path)
    assert (mine.find("a"), mine.last("a")) == (None, failed)

    mine.add(result("a"))
    theirs.add(failed)
    mine.refresh()

    assert mine.last("a") == result("a")
    mine.close()
    theirs.close()


def test_a_line_of_something_else_is_told_with_its_file_and_number(tmp_path: Path) -> None:
    (tmp_path / "results-7.jsonl").write_text(result("a").model_dump_json() + "\n")
    mine = log(tmp_path)
    with (tmp_path / "results-7.jsonl").open("a") as file:
        file.write("{}\n")

    with pytest.raises(DataError, match=r"results-7.jsonl: line 2 is no result"):
        mine.refresh()
    mine.close()


def test_a_log_that_cannot_be_read_is_left_unlocked(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text("{}\n")
    with pytest.raises(DataError):
        log(tmp_path)

    (tmp_path / RESULTS).unlink()
    log(tmp_path).close()


def test_two_processes_cannot_write_one_log(tmp_path: Path) -> None:
    mine = log(tmp_path)

    with pytest.raises(ConflictError, match="another process"):
        log(tmp_path)
    mine.close()
