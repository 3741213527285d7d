"""What gives answers away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.leaks import Leaks, find_leaks

QUESTION = "Which large animal with a trunk lives in Africa and eats grass and leaves all day long?"


def item(item_id: str, query: str) -> DatasetItem:
    return DatasetItem(id=item_id, dataset="d", query=query, scorer="exact", references=("a",))


def showing(question: str, item_id: str | None = None) -> PromptProgram:
    return PromptProgram(demonstrations=(Demonstration(question=question, answer="a", item_id=item_id),))


def leaks(program: PromptProgram, test: list[DatasetItem], search: list[DatasetItem] | None = None) -> Leaks:
    return find_leaks([program], test, search or [], [])


def test_a_clean_prompt_leaks_nothing() -> None:
    assert leaks(PromptProgram(instruction="Name the animal."), [item("t1", QUESTION)]) == Leaks(frozenset(), ())


def test_a_test_item_among_the_examples_is_found_by_its_id() -> None:
    assert leaks(showing("x", "t1"), [item("t1", QUESTION)]).test_ids == {"t1"}


def test_who_may_choose_a_test_item_shows_it_to_others_only() -> None:
    pooled = PromptProgram(**{**dict(showing(QUESTION, "t1")), "n_nearest": 1})

    assert leaks(pooled, [item("t1", QUESTION)]).test_ids == frozenset()
    assert leaks(pooled, [item("t2", f"{QUESTION} Please.")]).test_ids == {"t2"}


@pytest.mark.parametrize(
    "shown",
    [
        QUESTION,
        QUESTION.upper().replace(" ", "  ").rstrip("?"),
        QUESTION.replace("large", "lârge"),
        f"{QUESTION} Please.",
        QUESTION.replace(" all day long", " all day"),
    ],
)
def test_a_test_item_in_other_clothes_is_found(shown: str) -> None:
    found = leaks(showing(shown), [item("t1", QUESTION), item("t2", "Who wrote it, and why?")])

    assert found.test_ids == {"t1"}
    assert found.warnings == (
        "1 test item ('t1') shown as examples, word for word or nearly: left out of the test for both prompts",
    )


@pytest.mark.parametrize(
    ("shown", "asked"),
    [
        ("What is 2 + 2?", "What is 2 + 3?"),
        (QUESTION, "Which small animal with a tail lives in Europe and eats nuts and seeds in the winter?"),
        ("A train leaves at 5 and takes 3 hours to come home, when is it there?",
         "A train leaves at 6 and takes 3 hours to come home, when is it there?"),
    ],
)  # fmt: skip
def test_another_question_is_none(shown: str, asked: str) -> None:
    assert leaks(showing(shown), [item("t1", asked)]).test_ids == frozenset()


def test_scripts_without_spaces_are_compared_by_character() -> None:
    assert leaks(showing("非洲有长鼻子的大动物是什么"), [item("t1", "非洲有长鼻子的大动物是什么?")]).test_ids == {"t1"}
    assert (
        leaks(showing("非洲有长鼻子的大动物是什么"), [item("t1", "哪一种动物住在水里而且很小")]).test_ids == frozenset()
    )


WORD = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=8)
WORDS = st.lists(WORD.filter(lambda one: one.swapcase().casefold() == one.casefold()), min_size=1, max_size=30)
"""Not of letters without a way back, such as the Turkish dotless i."""


@given(words=WORDS, signs=st.lists(st.sampled_from([" ", "  ", ", ", "\n", " - ", "? "]), min_size=30, max_size=30))
def test_whatever_the_question_its_copy_with_other_signs_and_case_is_found(words: list[str], signs: list[str]) -> None:
    asked = " ".join(words)
    shown = "".join(f"{word.swapcase()}{sign}" for word, sign in zip(words, signs, strict=False))

    assert leaks(showing(shown), [item("t1", asked)]).test_ids == {"t1"}


def test_test_items_that_repeat_items_of_the_search_are_told() -> None:
    found = leaks(PromptProgram(), [item("t1", QUESTION)], [item("s1", QUESTION.lower())])

    assert found.test_ids == frozenset()
    assert "1 test item ('t1') nearly repeat items of the search (such as 't1' and 's1')" in found.warnings[0]


def test_training_text_copied_into_the_prompt_is_told() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen"
    copied = PromptProgram(instruction=f"Remember: {text}.")

    assert leaks(copied, [], [item("s1", text)]).warnings == (
        "text of 1 item ('s1') stands in the prompt outside its examples",
    )


def test_a_short_item_must_stand_in_the_prompt_whole_and_a_very_short_one_never_counts() -> None:
    prompt = PromptProgram(instruction="Say who wrote the first long poem.")

    assert leaks(prompt, [], [item("s1", "Who wrote the first long poem?")]).warnings != ()
    assert leaks(prompt, [], [item("s1", "Who wrote the last long poem?")]).warnings == ()
    assert leaks(prompt, [], [item("s1", "the first long")]).warnings == ()


def test_the_seeds_examples_count_too() -> None:
    assert find_leaks([PromptProgram(), showing(QUESTION)], [item("t1", QUESTION)], [], []).test_ids == {"t1"}


def test_test_items_that_repeat_items_by_which_the_winner_was_chosen_are_told_too() -> None:
    test, selection = [item("t1", QUESTION), item("t2", "Who wrote it?")], [item("v1", f"{QUESTION} Please.")]

    found = find_leaks([PromptProgram(instruction=QUESTION)], test[1:], [], selection)
    assert found.warnings == ("text of 1 item ('v1') stands in the prompt outside its examples",)
    found = find_leaks([PromptProgram()], test, [], selection)
    assert found.test_ids == frozenset()
    assert found.warnings[0].startswith(
        "1 test item ('t1') nearly repeat items of the selection (such as 't1' and 'v1'): the test is less fresh"
    )
