"""Texts nearest to a question."""

from hypothesis import given
from hypothesis import strategies as st

from neuroforge.datasets.nearest import NearestTexts

TEXTS = ["my card was stolen", "where is my new card", "top up by transfer", "the transfer is pending"]


@given(
    st.lists(st.text(max_size=30), max_size=12),
    st.text(max_size=30),
    st.integers(0, 14),
    st.sets(st.integers(0, 12)),
)
def test_so_many_of_the_texts_are_found_each_once_and_always_the_same(
    texts: list[str], question: str, n: int, without: set[int]
) -> None:
    allowed = set(range(len(texts))) - without
    found = NearestTexts(texts).nearest(question, n, without)

    assert len(found) == len(set(found)) == min(n, len(allowed))
    assert set(found) <= allowed
    assert NearestTexts(texts).nearest(question, n, without) == found


@given(st.lists(st.text(max_size=30), min_size=1, max_size=12), st.text(max_size=30))
def test_nearer_ones_come_first_and_of_equal_ones_the_earlier(texts: list[str], question: str) -> None:
    index = NearestTexts(texts)
    near = index.similarities(question)
    found = index.nearest(question, len(texts))

    assert all(-1e-9 <= one <= 1 + 1e-9 for one in near)
    assert list(found) == sorted(range(len(texts)), key=lambda place: (-near[place], place))


def test_a_text_is_nearest_to_itself_whatever_its_case() -> None:
    assert NearestTexts(TEXTS).nearest("Top up by TRANSFER", 2) == (2, 3)
    assert NearestTexts(TEXTS).similarities(TEXTS[0])[0] == 1.0


def test_rare_words_tell_more_than_frequent_ones() -> None:
    texts = ["is my pin new", "is my card new", "is my top-up new", "a pin"]

    assert NearestTexts(texts).nearest("is my passport like a pin", 1) == (3,)


def test_a_misspelt_word_still_finds_its_like() -> None:
    assert NearestTexts(TEXTS).nearest("tranfser", 1)[0] in (2, 3)


def test_a_question_that_shares_nothing_gets_the_first() -> None:
    assert NearestTexts(TEXTS).nearest("0 ???", 2) == (0, 1)


def test_without_texts_nothing_is_found() -> None:
    assert NearestTexts([]).nearest("anything", 3) == ()
