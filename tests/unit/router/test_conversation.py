from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.router.conversation import mark_prefixes, read_turns
from neuroforge.router.features import EARLIER_CHARS, HEAD_CHARS, TAIL_CHARS


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_turns_come_in_order_with_the_question_last() -> None:
    messages = [{"role": "system", "content": "Be brief."}, user("a"), {"role": "assistant", "content": "b"}, user("c")]
    assert read_turns({"messages": messages}) == ["Be brief.", "a", "b", "c"]


def test_the_users_question_is_what_is_answered_even_behind_tool_results() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{}]}
    messages = [user("question"), call, {"role": "tool", "content": "result"}]
    assert read_turns({"messages": messages}) == ["", "result", "question"]


def test_only_the_text_of_parts_is_read() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    assert read_turns({"messages": [user(parts)]}) == ["a\nb"]


def test_only_the_last_turns_are_read_and_each_is_capped() -> None:
    turns = read_turns({"messages": [user("x" * 1_000_000)] * 50})
    assert [len(turn) for turn in turns] == [2 * EARLIER_CHARS + 1] * 4 + [HEAD_CHARS + TAIL_CHARS + 1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt": "a"}, ["a"]),
        ({"prompt": ["a", "b"]}, ["a"]),
        ({"prompt": [1, 2]}, []),
        ({"prompt": []}, [""]),
        ({"messages": []}, []),
        ({}, []),
        (None, []),
    ],
)
def test_prompts_are_turns_where_they_are_text(body: Any, expected: list[str]) -> None:
    assert read_turns(body) == expected


def test_a_longer_conversation_knows_its_beginning_again() -> None:
    first = [user("a")]
    later = [*first, {"role": "assistant", "content": "b"}, user("c")]
    assert mark_prefixes({"messages": later})[0] == mark_prefixes({"messages": first})[-1]


def test_another_role_or_text_is_another_conversation() -> None:
    marks = {
        mark_prefixes({"messages": [one]})[-1] for one in (user("a"), user("b"), {"role": "system", "content": "a"})
    }
    assert len(marks) == 3


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "tool"]), "content": st.text() | st.none()})))
def test_any_conversation_is_read(messages: list[dict[str, Any]]) -> None:
    assert len(read_turns({"messages": messages})) == min(len(messages), 5)
    assert len(mark_prefixes({"messages": messages})) == len(messages)
