"""A task's items -> the slots of a program and what may stand in each: what operators and structure search work on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import (
    Delimiter,
    Demonstration,
    DemonstrationStyle,
    Placement,
    PromptProgram,
    PromptStyle,
    Section,
)
from neuroforge.prompts.slots import Slot, Values, changed, choices_of, demonstration_slots, field_slot, shows_any
from neuroforge.prompts.ways import Ways, asking_slots

TaskKind = Literal["choice", "classification", "numeric", "code", "text"]
"""What an answer is: one of lettered choices, one of few labels, a number, Python, or words."""
FEW_LABELS = 30
"""References of `exact` and `normalized` items that repeat among at most so many are labels."""
_ORDERS: tuple[tuple[Section, ...], ...] = (
    PromptStyle().section_order,
    ("role", "demonstrations", "instruction", "constraints", "output_format", "reasoning_cue", "answer_cue"),
    ("instruction", "role", "output_format", "constraints", "reasoning_cue", "demonstrations", "answer_cue"),
    ("role", "instruction", "demonstrations", "constraints", "output_format", "reasoning_cue", "answer_cue"),
)


@dataclass(frozen=True)
class PromptSpace:
    """All slots of a task."""

    kind: TaskKind
    slots: tuple[Slot, ...]

    def read(self, program: PromptProgram) -> dict[str, Any]:
        """Return each slot's value; of a program from elsewhere a value may be none of the choices."""
        return {slot.name: slot.read(program) for slot in self.slots}

    def write(self, program: PromptProgram, values: Values) -> PromptProgram:
        """Return the program with these slots set; the others stay."""
        for slot in self.slots:
            if slot.name in values:
                program = slot.write(program, values[slot.name])
        return program

    def slot(self, name: str) -> Slot:
        """Return the slot of that name."""
        return next(slot for slot in self.slots if slot.name == name)


def kind_of(items: Sequence[DatasetItem]) -> TaskKind:
    """Return what most items' answers are; ties go to the first in the order of TaskKind."""
    kinds = [_kind_of(item) for item in items]
    if not kinds:
        return "text"
    most = max(get_args(TaskKind), key=lambda kind: kinds.count(kind))
    if most != "text":
        return most  # type: ignore[no-any-return]
    references = [item.references[0].strip().casefold() for item in items if item.references]
    is_labelled = len(references) >= 8 and len(set(references)) <= min(FEW_LABELS, len(references) // 3)
    return "classification" if is_labelled else "text"


def build_space(
    seed: PromptProgram,
    items: Sequence[DatasetItem],
    max_demonstrations: int,
    pool: Sequence[Demonstration] = (),
    ways: Ways | None = None,
) -> PromptSpace:
    """Return the search space of a task: what its kind's bank offers, beside what the seed has.

    Args:
        seed: Its own values are the first choice of each slot.
        items: Decide the kind of task.
        max_demonstrations: Upper end of the slots `n_nearest` and `n_demonstrations`.
        pool: Examples of which `n_nearest` shows those nearest to the question; without any it has the seed's value.
        ways: What decides how the model may be asked; None = as the seed has it.
    """
    kind = kind_of(items)
    bank = _bank_of(kind)
    slots = (
        field_slot("instruction", seed, bank["instructions"]),
        field_slot("role", seed, (None, *bank["roles"])),
        Slot(
            "constraints",
            choices_of(seed.constraints, ((), *((one,) for one in bank["constraints"]))),
            lambda program: program.constraints,
            lambda program, value: changed(program, constraints=value),
        ),
        field_slot("reasoning_cue", seed, (None, *bank["reasoning_cues"])),
        field_slot("output_format", seed, (None, *bank["output_formats"])),
        field_slot("answer_cue", seed, (None, *bank["answer_cues"])),
        _style("delimiter", seed, get_args(Delimiter)),
        _style("placement", seed, get_args(Placement)),
        _style("section_order", seed, _ORDERS),
        *demonstration_slots(seed, max_demonstrations, pool),
        _style("demonstrations", seed, get_args(DemonstrationStyle), "demonstration_style", shows_any),
        *(() if ways is None else asking_slots(seed, ways)),
    )
    return PromptSpace(kind, slots)


def _kind_of(item: DatasetItem) -> TaskKind:
    match item.scorer:
        case "choice":
            is_lettered = all(len(label) == 1 for label in item.labels)
            return "choice" if is_lettered else "classification"
        case "numeric":
            return "numeric"
        case "code":
            return "code"
        case _:
            return "text"


def _style(
    field: str,
    seed: PromptProgram,
    offered: Sequence[Any],
    name: str | None = None,
    is_active: Callable[[Values], bool] = lambda _values: True,
) -> Slot:
    def write(program: PromptProgram, value: Any) -> PromptProgram:
        return changed(program, style=PromptStyle(**{**dict(program.style), field: value}))

    return Slot(
        name or field,
        choices_of(getattr(seed.style, field), offered),
        lambda program: getattr(program.style, field),
        write,
        is_active,
    )


@lru_cache(maxsize=8)
def _bank_of(kind: TaskKind) -> dict[str, tuple[str, ...]]:
    content = yaml.safe_load((Path(__file__).parent / "bank.yaml").read_text(encoding="utf-8"))
    names = ("instructions", "roles", "reasoning_cues", "output_formats", "answer_cues", "constraints")
    own, common = content[kind], content["any"]
    return {name: tuple(dict.fromkeys((*own.get(name, ()), *common.get(name, ())))) for name in names}
