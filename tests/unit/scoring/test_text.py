import pytest

from neuroforge.contracts.scores import Score
from neuroforge.scoring.exact import score_exact
from neuroforge.scoring.normalized import normalize, score_normalized


def test_exact_ignores_white_space_around() -> None:
    assert score_exact(" Paris\n", ("Paris",)).value == 1.0


def test_exact_does_not_ignore_letter_case() -> None:
    assert score_exact("paris", ("Paris",)).value == 0.0


def test_any_reference_will_do() -> None:
    assert score_exact("b", ("a", "b")).value == 1.0


@pytest.mark.parametrize("score", [score_exact, score_normalized])
def test_without_a_reference_nothing_is_scored(score: object) -> None:
    assert score("x", ()).value is None  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Eiffel Tower!", "eiffel tower"),
        ("3:30 p.m.", "3 30 p m"),
        ("Ｐａｒｉｓ", "paris"),
        ("the", "the"),
        ("?", "?"),
        ("Straße", "strasse"),
    ],
)
def test_case_punctuation_articles_and_spacing_go(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_normalised_texts_are_compared_whole() -> None:
    assert score_normalized("Paris, I think", ("Paris",)).value == 0.0


def test_normalised_texts_that_are_the_same_score_1() -> None:
    assert score_normalized("the Moon.", ("Moon",)).value == 1.0


def test_a_score_without_value_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Score()
