from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.engines.sse import MAX_EVENT_BYTES, SseParser
from neuroforge.errors import EngineError

STREAM = (
    ": keep-alive\r\n\r\n"
    'data: {"text":"Grüße, 世界 🌍"}\n\n'
    "event: message\nid: 7\ndata:{}\n\n"
    "data: first\r\ndata: second\r\n\r\n"
    "data:  two spaces\n\n"
    "data: [DONE]\n\n"
).encode()
EVENTS = ['{"text":"Grüße, 世界 🌍"}'.encode(), b"{}", b"first\nsecond", b" two spaces", b"[DONE]"]


def events_of(pieces: list[bytes]) -> list[bytes]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.close()


def test_comments_and_other_fields_are_dropped() -> None:
    assert events_of([STREAM]) == EVENTS


@given(cuts=st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=30))
def test_any_split_of_the_bytes_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert events_of(pieces) == EVENTS


def test_bytes_one_by_one_give_the_same_events() -> None:
    assert events_of([bytes([byte]) for byte in STREAM]) == EVENTS


def test_a_last_event_without_an_empty_line_counts() -> None:
    assert events_of([b"data: [DONE]"]) == [b"[DONE]"]


def test_nothing_comes_of_an_unfinished_line() -> None:
    assert SseParser().feed(b'data: {"half') == []


def test_an_endless_line_is_refused() -> None:
    parser = SseParser()
    parser.feed(b"data: ")
    with pytest.raises(EngineError, match="longer than"):
        parser.feed(b"x" * (MAX_EVENT_BYTES + 1))
