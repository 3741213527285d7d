"""The search space of a task."""

from typing import Any

import pytest

from neuroforge.contracts.datasets import CodeTests, DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.space import build_space, kind_of

CHOICES: dict[str, Any] = {"scorer": "choice", "labels": ("A", "B"), "choices": ("x", "y"), "references": ("A",)}


def item(number: int = 0, **changes: Any) -> DatasetItem:
    fields = {"id": f"i{number}", "dataset": "d", "query": "q", "scorer": "exact", "references": (f"r{number}",)}
    return DatasetItem(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        (CHOICES, "choice"),
        (CHOICES | {"labels": ("yes", "no"), "references": ("no",)}, "classification"),
        ({"scorer": "numeric"}, "numeric"),
        ({"scorer": "code", "code": CodeTests(tests="assert f")}, "code"),
        ({}, "text"),
    ],
)
def test_the_kind_is_what_the_answers_are(changes: dict[str, Any], kind: str) -> None:
    assert kind_of([item(number, **changes) for number in range(12)]) == kind


def test_answers_that_repeat_are_labels() -> None:
    assert kind_of([item(number, references=(f"label{number % 3}",)) for number in range(12)]) == "classification"


def test_nothing_to_go_by_is_text() -> None:
    assert kind_of([]) == "text"


def test_the_seeds_own_values_come_first() -> None:
    seed = PromptProgram(instruction="Mine.", role="Me.")
    space = build_space(seed, [item()], 4)

    assert [space.slot(name).choices[0] for name in ("instruction", "role", "reasoning_cue")] == ["Mine.", "Me.", None]
    assert space.slot("n_demonstrations").choices == (0, 1, 2, 3, 4)


def test_what_is_written_is_read() -> None:
    seed = PromptProgram(demonstrations=tuple(Demonstration(question=f"q{k}", answer="a") for k in range(4)))
    space = build_space(seed, [item()], 4)
    for slot in space.slots:
        for value in slot.choices:
            assert slot.read(slot.write(seed, value)) == value


def test_how_examples_are_shown_matters_only_where_there_are_some() -> None:
    slot = build_space(PromptProgram(), [item()], 4).slot("demonstration_style")

    assert not slot.is_active({"n_demonstrations": 0})
    assert slot.is_active({"n_demonstrations": 2})


def pool(n: int) -> tuple[Demonstration, ...]:
    return tuple(Demonstration(question=f"p{k}", answer="a") for k in range(n))


@pytest.mark.parametrize(
    ("n_pool", "max_demonstrations", "choices"),
    [(0, 8, (None,)), (3, 8, (None, 1, 2)), (9, 5, (None, 1, 2, 4, 5)), (300, 8, (None, 1, 2, 4, 8))],
)
def test_the_nearest_are_chosen_of_more_than_are_shown(
    n_pool: int, max_demonstrations: int, choices: tuple[int | None, ...]
) -> None:
    space = build_space(PromptProgram(), [item()], max_demonstrations, pool(n_pool))

    assert space.slot("n_nearest").choices == choices


def test_a_pool_holds_at_most_two_hundred_and_each_question_once() -> None:
    seed = PromptProgram(demonstrations=(Demonstration(question="p7", answer="mine"),))
    slot = build_space(seed, [item()], 8, pool(300)).slot("n_nearest")
    shown = slot.write(seed, 8).demonstrations

    assert (shown[0], len(shown)) == (seed.demonstrations[0], 200)
    assert len({one.question for one in shown}) == 200
    assert slot.write(slot.write(seed, 8), None).demonstrations == shown[:8]


def test_how_many_stand_in_the_prompt_matters_only_where_the_question_does_not_choose() -> None:
    seed = PromptProgram(demonstrations=pool(30), n_nearest=3)
    space = build_space(seed, [item()], 8, pool(30))
    count = space.slot("n_demonstrations")

    assert not count.is_active(space.read(seed))
    assert space.slot("demonstration_style").is_active(space.read(seed))
    assert count.write(seed, 2) == seed
    assert space.slot("n_nearest").choices == (3, None, 1, 2, 4, 8)
    assert count.choices == (0, 1, 2, 3, 4, 6, 8)
