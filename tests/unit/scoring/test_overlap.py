"""F1, ROUGE and BLEU: what they have in common, and values worked out by hand."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.scores import Score
from neuroforge.scoring.bleu import score_bleu
from neuroforge.scoring.f1 import score_f1
from neuroforge.scoring.rouge import score_rouge

Scorer = Callable[[str, Sequence[str]], Score]
ALL = pytest.mark.parametrize("score", [score_f1, score_rouge, score_bleu])


def test_f1_of_three_words_of_which_two_are_shared() -> None:
    """Precision 2/4, recall 2/3: 2 * 2 / (4 + 3)."""
    assert score_f1("big black cat runs", ["black cat sleeps"]).value == pytest.approx(4 / 7)


def test_f1_counts_each_word_as_often_as_it_stands() -> None:
    assert score_f1("no no", ["no"]).value == pytest.approx(2 / 3)


def test_f1_ignores_case_articles_and_punctuation() -> None:
    assert score_f1("The Cat!", ["cat"]).value == 1.0


def test_rouge_wants_the_same_order() -> None:
    """Longest common sequence `police the gunman`: 3 of 4 words on both sides."""
    reference = "police killed the gunman"
    assert score_rouge("police kill the gunman", [reference]).value == pytest.approx(0.75)
    assert score_rouge("the gunman kill police", [reference]).value == pytest.approx(0.5)


def test_bleu_of_one_missing_word() -> None:
    """Precisions 4/4, 3/3, 2/2, 1/1; five words against four: brevity penalty exp(1 - 5/4)."""
    found = score_bleu("the cat sat on", ["the cat sat on it"]).value
    assert found == pytest.approx(2.718281828**-0.25, abs=1e-6)


@ALL
def test_words_of_any_script_count(score: Scorer) -> None:
    assert score("кошка сидит на окне", ["кошка сидит на окне"]).value == pytest.approx(1.0)
    assert score("собака", ["кошка"]).value == 0.0


@ALL
def test_the_best_reference_counts(score: Scorer) -> None:
    assert score("a red house here", ["nothing alike", "a red house here"]).value == pytest.approx(1.0)


@ALL
def test_without_a_reference_nothing_is_scored(score: Scorer) -> None:
    assert score("x", ()).value is None


@ALL
def test_an_empty_reply_is_wrong(score: Scorer) -> None:
    assert score("", ["something"]).value == 0.0


@pytest.mark.parametrize("score", [score_f1, score_rouge])
@given(a=st.text(alphabet="ab c", max_size=30), b=st.text(alphabet="ab c", max_size=30))
def test_scores_are_symmetric_and_within_bounds(score: Scorer, a: str, b: str) -> None:
    there, back = score(a, [b]).value, score(b, [a]).value
    assert there is not None
    assert 0 <= there <= 1
    assert there == pytest.approx(back)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_have_a_bleu(reply: str, reference: str) -> None:
    found = score_bleu(reply, [reference]).value
    assert found is not None
    assert 0 <= found <= 1
