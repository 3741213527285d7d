import hashlib
import os
import time
from pathlib import Path

import pytest

from neuroforge.contracts.runs import ItemsPart
from neuroforge.errors import DataError, NotFound
from neuroforge.runs.uploads import UNUSED_S, Uploads

LINE = '{"id": "%s", "dataset": "own", "query": "2+2?", "scorer": "exact", "references": ["4"]}\n'


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def part(text: str, index: int = 0, n_parts: int = 1, of: str | None = None) -> ItemsPart:
    return ItemsPart(sha256=digest(of or text), index=index, n_parts=n_parts, lines=text)


def test_parts_come_in_any_order_and_make_one_file(tmp_path: Path) -> None:
    text = LINE % "a" + LINE % "b"
    uploads = Uploads(tmp_path)
    assert uploads.put(part(text[30:], 1, 2, of=text)).missing == (0,)
    assert uploads.put(part(text[:30], 0, 2, of=text)).n_items == 2
    assert uploads.read(digest(text)) == text.encode()
    assert [one.name for one in tmp_path.iterdir()] == [f"{digest(text)}.jsonl"]


def test_what_is_there_already_is_not_asked_again(tmp_path: Path) -> None:
    text = LINE % "a"
    uploads = Uploads(tmp_path)
    uploads.put(part(text))
    assert uploads.put(part(text, 0, 7)).n_items == 1
    assert uploads.find(digest(text)).n_items == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINE % "a" + "{", "line 2"),
        (LINE % "a" + '{"id": "b"}', "line 2: dataset"),
        (LINE % "a" + LINE % "a", "line 2: item 'a' of 'own' stands twice"),
        ("\n\n", "no items"),
    ],
)
def test_a_line_that_is_no_item_is_named_and_nothing_stays(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Uploads(tmp_path).put(part(text))
    assert list(tmp_path.iterdir()) == []


def test_another_text_than_its_digest_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SHA-256"):
        Uploads(tmp_path).put(part(LINE % "a", of="other"))


def test_a_part_beyond_the_last_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="part 2 of 2"):
        Uploads(tmp_path).put(part("x", 2, 2))


def test_unknown_items_are_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="0000"):
        Uploads(tmp_path).find("0" * 64)
    with pytest.raises(NotFound, match="0000"):
        Uploads(tmp_path).read("0" * 64)


def test_uploads_that_nobody_ended_go_after_a_day(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    uploads.put(part("old", 0, 2))
    uploads.put(part("new", 0, 2))
    os.utime(tmp_path / f"{digest('old')}.parts-2", (0, 0))
    uploads.drop_unused((), UNUSED_S + 1)
    assert [one.name for one in tmp_path.iterdir()] == [f"{digest('new')}.parts-2"]


def test_items_that_no_run_uses_go_a_day_after_somebody_asked_for_them(tmp_path: Path) -> None:
    uploads, now_s = Uploads(tmp_path), time.time()
    digests = [uploads.put(part(LINE % name)).sha256 for name in ("used", "asked", "forgotten")]
    for one in digests:
        os.utime(uploads.path(one), (0, 0))
    uploads.find(digests[1])
    uploads.drop_unused({digests[0]}, now_s + UNUSED_S - 60)
    assert {one.stem for one in tmp_path.iterdir()} == set(digests[:2])
    assert uploads.path(digests[1]).stat().st_mtime == 0
    uploads.drop_unused({digests[0]}, now_s + UNUSED_S + 60)
    assert {one.stem for one in tmp_path.iterdir()} == {digests[0]}


def test_a_text_that_is_known_to_be_good_is_kept_under_its_digest(tmp_path: Path) -> None:
    uploads, text = Uploads(tmp_path), LINE % "a"
    assert uploads.keep(text.encode()) == digest(text)
    assert uploads.read(digest(text)) == text.encode()


def test_what_is_kept_again_is_in_use_again(tmp_path: Path) -> None:
    uploads, text = Uploads(tmp_path), LINE % "a"
    uploads.keep(text.encode())
    os.utime(uploads.path(digest(text)), (0.0, 0.0))
    uploads.keep(text.encode())
    uploads.drop_unused((), now_s=UNUSED_S + 1.0)
    assert uploads.path(digest(text)).is_file()
