"""What a search over structures remembers beside what every search does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.structure_model import NONE, Rows

FIRST_SLOTS = (
    "instruction",
    "role",
    "constraints",
    "reasoning_cue",
    "output_format",
    "answer_cue",
    "delimiter",
    "placement",
    "section_order",
    "n_demonstrations",
    "demonstration_style",
)
"""Of states that do not name theirs."""
StructureStrategy = Literal["tpe", "regularized_evolution"]


@dataclass(frozen=True)
class StructureSettings(EvolutionSettings):
    """How a search over structures goes, and the fine-tuning after it."""

    strategy: StructureStrategy = "tpe"
    """Who offers structures: Optuna's tree of Parzen estimators, or ageing evolution; the model picks."""
    share: float = 0.75
    """Of calls and generations that the structure may have; the rest is fine-tuning's."""


class StructureRow(Contract):
    """What a structure got on one block of items, as codes of this task's space."""

    codes: tuple[int, ...]
    task: int = Field(ge=0)
    """0 = this one, others are earlier ones."""
    block: int
    mean: float = Field(ge=0, le=1)
    n_items: int = Field(ge=1)


class StructureState(EvolutionState):
    """A search between two steps; fine-tuning goes on from the same candidates and evaluations."""

    instructions: tuple[str, ...] = ()
    """Suggested ones that the space offers beside the bank's."""
    earlier: tuple[StructureRow, ...] = ()
    """As they were when the search began: rows that come later change nothing in it."""
    slots: tuple[str, ...] = FIRST_SLOTS
    """What the codes of `earlier` stand for."""
    is_tuning: bool = False


def recode(rows: Sequence[StructureRow], before: Sequence[str], now: Sequence[str]) -> tuple[StructureRow, ...]:
    """Return rows of other slots in the codes of these; what was not known of a slot is no choice of it."""

    def codes_of(row: StructureRow) -> tuple[int, ...]:
        known = dict(zip(before, row.codes, strict=True))
        return tuple(known.get(name, NONE) for name in now)

    return tuple(StructureRow(**{**dict(row), "codes": codes_of(row)}) for row in rows)


def rows_of(rows: Sequence[StructureRow], n_slots: int) -> Rows:
    """Return them as arrays."""
    places = {key: place for place, key in enumerate(dict.fromkeys((one.task, one.block) for one in rows))}
    return Rows(
        codes=np.array([one.codes for one in rows], dtype=np.int64).reshape(-1, n_slots),
        tasks=np.array([one.task for one in rows], dtype=np.int64),
        blocks=np.array([places[one.task, one.block] for one in rows], dtype=np.int64),
        means=np.array([one.mean for one in rows], dtype=np.float64),
        n_items=np.array([one.n_items for one in rows], dtype=np.float64),
    )
