"""A prompt's words for labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.datasets.words import could_become_word, label_of

WORDS = {"card_lost": "A", "card_arrival": "B", "top_up": "Top up"}


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("A", "card_lost"),
        (" a.\n", "card_lost"),
        ("**B**", "card_arrival"),
        ('"top up"', "top_up"),
        ("A B", None),
        ("A because", None),
        ("card_lost", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_reply_that_is_a_word_is_its_label(reply: str, label: str | None) -> None:
    assert label_of(reply, WORDS) == label


def test_words_that_differ_in_signs_alone_are_told_apart_by_them() -> None:
    words = {"plus": "a!", "minus": "a."}

    assert label_of("A!", words) == "plus"
    assert label_of("a", words) is None


@given(st.sampled_from(sorted(WORDS.values())), st.sampled_from(["", " ", "**", ".\n"]), st.integers(0, 12))
def test_every_beginning_of_a_word_may_become_it(word: str, around: str, n: int) -> None:
    assert could_become_word(f"{around}{word}{around}"[:n], WORDS)


def test_what_goes_on_is_no_word() -> None:
    assert not could_become_word("A card", WORDS)
    assert not could_become_word("C", WORDS)
