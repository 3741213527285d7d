import pytest

from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.scoring.choice import find_label, score_choice, score_label_logprobs

LABELS = ("A", "B", "C", "D")
CHOICES = ("red", "dark blue", "blue", "a green dog")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B", "B"),
        (" b ", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B.", "B"),
        ("B) dark blue", "B"),
        ("B: because it is", "B"),
        ("B - dark blue", "B"),
        ("B\nRed is wrong.", "B"),
        ("The answer is B.", "B"),
        ("The correct answer is **(B)** dark blue", "B"),
        ("Answer: b", "B"),
        ("\\boxed{B}", "B"),
        ("I think A is wrong, so the answer is B", "B"),
        ("A. red\n\nThe correct answer is D.", "D"),
        ("The answer is option B", "B"),
        ("I choose B", "B"),
        ("I would go with option C here", "C"),
        ("dark blue", "B"),
        ("It is blue.", "C"),
        ("The color is dark blue", "B"),
        ("A green dog", "D"),
        ("The answer is a green dog", "D"),
        ("It must be D", "D"),
        ("the answer is a", "A"),
    ],
)
def test_the_label_that_is_meant_is_found(reply: str, expected: str) -> None:
    assert find_label(reply, LABELS, CHOICES) == expected


@pytest.mark.parametrize("reply", ["", "I do not know", "A or B", "red or blue", "A dog barks", "E", "Because", "a"])
def test_an_unclear_reply_names_nothing(reply: str) -> None:
    assert find_label(reply, LABELS, CHOICES) == ("A" if reply == "a" else None)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Yes", "Yes"),
        ("yes, it is", "Yes"),
        ("No.", "No"),
        ("**No**", "No"),
        ("The answer is no", "No"),
        ("Nobody", None),
    ],
)
def test_yes_and_no_are_labels_of_their_own(reply: str, expected: str | None) -> None:
    assert find_label(reply, ("Yes", "No"), ("Yes", "No")) == expected


def test_the_right_label_scores_1() -> None:
    assert score_choice("B", ("B",), LABELS, CHOICES).value == 1.0


def test_a_wrong_label_scores_0() -> None:
    assert score_choice("A", ("B",), LABELS, CHOICES).value == 0.0


def test_a_reply_without_a_choice_scores_0_and_says_so() -> None:
    score = score_choice("hm", ("B",), LABELS, CHOICES)
    assert (score.value, score.answer) == (0.0, None)
    assert score.reason


def test_a_reference_that_is_no_label_is_not_scored() -> None:
    assert score_choice("B", ("E",), LABELS, CHOICES).value is None


def test_a_reply_of_a_million_characters_is_no_trouble() -> None:
    assert find_label("x" * 1_000_000, LABELS, CHOICES) is None


def logprobs(**by_label: float) -> LabelLogprobs:
    scores = tuple(LabelScore(label=label, logprob=value, n_tokens=1) for label, value in by_label.items())
    return LabelLogprobs(scores=scores, n_prompt_tokens=9)


def test_the_most_probable_label_is_the_answer() -> None:
    assert score_label_logprobs(logprobs(A=-2.0, B=-0.5), ("B",)).value == 1.0


def test_equally_probable_labels_are_no_answer() -> None:
    assert score_label_logprobs(logprobs(A=-1.0, B=-1.0), ("A",)).value == 0.0
