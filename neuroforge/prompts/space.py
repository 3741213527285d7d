"""A task's items -> the slots of a program and what may stand in each: what operators and structure search work on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Delimiter, DemonstrationStyle, Placement, PromptProgram, PromptStyle, Section

TaskKind = Literal["choice", "classification", "numeric", "code", "text"]
"""What an answer is: one of lettered choices, one of few labels, a number, Python, or words."""
FEW_LABELS = 30
"""References of `exact` and `normalized` items that repeat among at most so many are labels."""
DEMONSTRATION_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_ORDERS: tuple[tuple[Section, ...], ...] = (
    PromptStyle().section_order,
    ("role", "demonstrations", "instruction", "constraints", "output_format", "reasoning_cue", "answer_cue"),
    ("instruction", "role", "output_format", "constraints", "reasoning_cue", "demonstrations", "answer_cue"),
    ("role", "instruction", "demonstrations", "constraints", "output_format", "reasoning_cue", "answer_cue"),
)
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


def build_space(seed: PromptProgram, items: Sequence[DatasetItem], max_demonstrations: int) -> PromptSpace:
    """Return the search space of a task: what its kind's bank offers, beside what the seed has.

    Args:
        seed: Its own values are the first choice of each slot.
        items: Decide the kind of task.
        max_demonstrations: Upper end of the slot `n_demonstrations`.
    """
    kind = kind_of(items)
    bank = _bank_of(kind)
    counts = tuple(n for n in DEMONSTRATION_COUNTS if n <= max_demonstrations)
    has_shown = lambda values: bool(values.get("n_demonstrations"))  # noqa: E731 - a condition, not a step
    slots = (
        _field("instruction", seed, bank["instructions"]),
        _field("role", seed, (None, *bank["roles"])),
        Slot(
            "constraints",
            _choices(seed.constraints, ((), *((one,) for one in bank["constraints"]))),
            lambda program: program.constraints,
            lambda program, value: _with(program, constraints=value),
        ),
        _field("reasoning_cue", seed, (None, *bank["reasoning_cues"])),
        _field("output_format", seed, (None, *bank["output_formats"])),
        _field("answer_cue", seed, (None, *bank["answer_cues"])),
        _style("delimiter", seed, get_args(Delimiter)),
        _style("placement", seed, get_args(Placement)),
        _style("section_order", seed, _ORDERS),
        _style("demonstrations", seed, get_args(DemonstrationStyle), "demonstration_style", has_shown),
        Slot(
            "n_demonstrations",
            _choices(len(seed.demonstrations), counts),
            lambda program: len(program.demonstrations),
            lambda program, n: _with(program, demonstrations=program.demonstrations[:n]),
        ),
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


def _field(name: str, seed: PromptProgram, offered: Sequence[Any]) -> Slot:
    return Slot(
        name,
        _choices(getattr(seed, name), offered),
        lambda program: getattr(program, name),
        lambda program, value: _with(program, **{name: value}),
    )


def _style(
    field: str,
    seed: PromptProgram,
    offered: Sequence[Any],
    name: str | None = None,
    is_active: Callable[[Values], bool] = lambda _values: True,
) -> Slot:
    def write(program: PromptProgram, value: Any) -> PromptProgram:
        return _with(program, style=PromptStyle(**{**dict(program.style), field: value}))

    return Slot(
        name or field,
        _choices(getattr(seed.style, field), offered),
        lambda program: getattr(program.style, field),
        write,
        is_active,
    )


def _choices(own: Any, offered: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((own, *offered)))


def _with(program: PromptProgram, **changes: Any) -> PromptProgram:
    return PromptProgram(**{**dict(program), **changes})


@lru_cache(maxsize=8)
def _bank_of(kind: TaskKind) -> dict[str, tuple[str, ...]]:
    content = yaml.safe_load((Path(__file__).parent / "bank.yaml").read_text(encoding="utf-8"))
    names = ("instructions", "roles", "reasoning_cues", "output_formats", "answer_cues", "constraints")
    own, common = content[kind], content["any"]
    return {name: tuple(dict.fromkeys((*own.get(name, ()), *common.get(name, ())))) for name in names}
