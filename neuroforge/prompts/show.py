"""Program and item -> the program with the examples that this item is shown: never its own, of a pool the nearest."""

from functools import lru_cache

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.datasets.nearest import NearestTexts
from neuroforge.datasets.template import fill_in, variables_of


def show_for(program: PromptProgram, item: DatasetItem) -> PromptProgram:
    """Return the program with the examples that this item is shown, all of them as they stand.

    Left out are those that make it easier than fresh questions are: its own, and those of its group.

    Raises:
        DataError: The input template is wrong, or names a variable that the item does not have.
    """
    own = left_out(program, item)
    if program.n_nearest is None:
        if not own:
            return program
        shown = tuple(one for place, one in enumerate(program.demonstrations) if place not in own)
    else:
        ranked = _rank(tuple(one.question for one in program.demonstrations), question_of(program, item))
        nearest = [place for place in ranked if place not in own][: program.n_nearest]
        shown = tuple(program.demonstrations[place] for place in reversed(nearest))
    return PromptProgram(**{**dict(program), "demonstrations": shown, "n_nearest": None})


def left_out(program: PromptProgram, item: DatasetItem) -> frozenset[int]:
    """Return the places of the examples that the item is never shown."""
    return frozenset(place for place, one in enumerate(program.demonstrations) if _is_kin(one, item))


def question_of(program: PromptProgram, item: DatasetItem) -> str:
    """Return the question as the item puts it. Raises DataError: as `show_for`."""
    return fill_in(program.input_template, variables_of(item), f"input_template, item {item.id!r}")


def count_shown(program: PromptProgram) -> int:
    """Return the examples that a question is shown."""
    return min(len(program.demonstrations), program.n_nearest or len(program.demonstrations))


def _is_kin(one: Demonstration, item: DatasetItem) -> bool:
    return one.item_id == item.id or (one.group is not None and one.group == item.group)


@lru_cache(maxsize=8192)
def _rank(questions: tuple[str, ...], question: str) -> tuple[int, ...]:
    """Places, the nearest first. A search asks it of few pools, and again with every candidate."""
    return _index(questions).nearest(question, len(questions))


@lru_cache(maxsize=16)
def _index(questions: tuple[str, ...]) -> NearestTexts:
    return NearestTexts(questions)
