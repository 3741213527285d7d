"""What a slot of a program is; the slots that say which examples are shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuroforge.contracts.prompts import Demonstration, PromptProgram

DEMONSTRATION_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
NEAREST_COUNTS = (1, 2, 4, 8, 16, 32, 64)
MOST_POOLED = 200
"""Examples of which the nearest are shown: every candidate that chooses among them carries all."""
NEAREST, COUNT = "n_nearest", "n_demonstrations"
"""Slots that together with the examples themselves say what is shown; operators set these as one."""
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Slot:
    """One decision of a program's structure."""

    name: str
    choices: tuple[Any, ...]
    """What may stand in it, the seed's own value first."""
    read: Callable[[PromptProgram], Any]
    write: Callable[[PromptProgram, Any], PromptProgram]
    is_active: Callable[[Values], bool] = lambda _values: True
    """Whether it makes a difference, given the other slots' values: conditions of the search space."""
    is_settled: bool = False
    """Drawn designs mostly leave it as it is: another choice seldom pays, and may spoil all the others."""


def choices_of(own: Any, offered: Sequence[Any]) -> tuple[Any, ...]:
    """Return the seed's own value, then what else is offered."""
    return tuple(dict.fromkeys((own, *offered)))


def changed(program: PromptProgram, **changes: Any) -> PromptProgram:
    """Return the program with other fields."""
    return PromptProgram(**{**dict(program), **changes})


def demonstration_slots(
    seed: PromptProgram, max_demonstrations: int, pool: Sequence[Demonstration]
) -> tuple[Slot, Slot]:
    """Return the slot of examples chosen for each question, and that of how many stand in the prompt otherwise.

    Args:
        pool: Examples that may be chosen; the seed's own come before them.
    """
    first_by_question: dict[str, Demonstration] = {}
    for one in (*seed.demonstrations, *pool):
        first_by_question.setdefault(one.question, one)
    pooled = tuple(first_by_question.values())[:MOST_POOLED]

    def show_nearest(program: PromptProgram, n: int | None) -> PromptProgram:
        if n == program.n_nearest:
            return program
        if n is None:
            return changed(program, n_nearest=None, demonstrations=program.demonstrations[:max_demonstrations])
        has_pool = program.n_nearest is not None
        return changed(program, n_nearest=n, demonstrations=program.demonstrations if has_pool else pooled)

    def show_first(program: PromptProgram, n: int) -> PromptProgram:
        if program.n_nearest is not None:
            return program
        return changed(program, demonstrations=program.demonstrations[:n])

    nearest = [n for n in sorted({*NEAREST_COUNTS, max_demonstrations}) if 0 < n <= max_demonstrations]
    offered = (None, *(n for n in nearest if n < len(pooled)))
    counts = tuple(n for n in DEMONSTRATION_COUNTS if n <= max_demonstrations)
    first = () if seed.n_nearest is not None else (len(seed.demonstrations),)
    return (
        Slot(NEAREST, choices_of(seed.n_nearest, offered), lambda program: program.n_nearest, show_nearest),
        Slot(
            COUNT,
            tuple(dict.fromkeys((*first, *counts))),
            lambda program: len(program.demonstrations) if program.n_nearest is None else None,
            show_first,
            lambda values: values.get(NEAREST) is None,
        ),
    )


def shows_any(values: Values) -> bool:
    """Whether a program with these values shows examples."""
    return bool(values.get(NEAREST) or values.get(COUNT))


def field_slot(name: str, seed: PromptProgram, offered: Sequence[Any], is_settled: bool = False) -> Slot:
    """Return the slot that one field of a program is, the seed's own value first."""
    return Slot(
        name,
        choices_of(getattr(seed, name), offered),
        lambda program: getattr(program, name),
        lambda program, value: changed(program, **{name: value}),
        is_settled=is_settled,
    )
