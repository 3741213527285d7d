"""Name or file -> rows -> items -> sample."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.mapping import RowMapping
from neuroforge.datasets.read import SUFFIXES, NumberedRow, read_rows
from neuroforge.datasets.registry import REGISTRY, Unusable
from neuroforge.datasets.rows import QuestionRow, build_item
from neuroforge.errors import DataError

_MAX_TOLD = 5
ConvertedRow = tuple[dict[str, Any], dict[str, Any]]
"""Our columns of a row, and its own that prompt templates may name."""


class Assets(Protocol):
    """What the catalog's datasets come from."""

    def ensure(self, name: str) -> Path:
        """The dataset's file, pulled if need be."""
        ...


@dataclass(frozen=True)
class RowProblem:
    """One row that was left out."""

    row: int
    column: str | None
    message: str

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Dataset:
    """All items of one source, in its order, and the rows that gave none."""

    name: str
    items: tuple[DatasetItem, ...]
    problems: tuple[RowProblem, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a user named: a registry dataset or a file, and how many questions of it."""

    name: str
    n: int | None = None

    @staticmethod
    def parse(text: str) -> "Source":
        """Read `mmlu`, `mmlu:100`, `my.jsonl` or `my.jsonl:100`.

        Raises:
            DataError: The number is not positive.
        """
        name, colon, number = text.rpartition(":")
        if not colon or not number.lstrip("-").isdigit():
            return Source(text)
        if int(number) < 1:
            raise DataError(f"{text!r}: the number of questions must be at least 1")
        return Source(name, int(number))


def load_dataset(
    name: str, assets: Assets, default_scorer: ScorerName | None = None, is_strict: bool = True
) -> Dataset:
    """Return the items of a registry dataset or of the user's own file.

    Args:
        name: A name of the registry; anything that ends like a data file, or exists, is a file.
        default_scorer: For rows that neither say nor imply one.
        is_strict: Of the user's file: refuse it if any row is unusable; else leave those out.
    Raises:
        DataError: Unknown name; unusable rows, with row and column; no usable row at all.
    """
    if name in REGISTRY:
        dataset = _from_registry(name, assets.ensure(name))
    elif name.lower().endswith(SUFFIXES) or Path(name).exists():
        path = Path(name).expanduser()
        return read_questions(path.name, read_rows(path), RowMapping(), default_scorer, is_strict)
    else:
        raise unknown_dataset(name)
    if not dataset.items:
        raise DataError(_complaint(name, dataset))
    return dataset


def as_published(dataset: Dataset) -> Dataset:
    """Return a registry dataset as its publication asks it; items whose text differs have another id.

    Raises:
        DataError: Not a registry dataset.
    """
    if dataset.name not in REGISTRY:
        raise unknown_dataset(dataset.name)
    ask = REGISTRY[dataset.name].ask
    if ask is None:
        return dataset
    items = tuple(
        DatasetItem.model_validate({**dict(item), "id": f"{item.id}-published", "query": ask(item)})
        for item in dataset.items
    )
    return Dataset(dataset.name, items, dataset.problems)


def unknown_dataset(name: str) -> DataError:
    """Return the error that names what comes nearest."""
    near = difflib.get_close_matches(name.lower(), REGISTRY, n=3, cutoff=0.5) or sorted(REGISTRY)
    return DataError(f"no dataset is called {name!r}: known are {', '.join(near)}, or name a {', '.join(SUFFIXES)}")


def read_questions(
    name: str,
    rows: Iterable[NumberedRow],
    mapping: RowMapping,
    default_scorer: ScorerName | None = None,
    is_strict: bool = True,
) -> Dataset:
    """Return the items of the user's own rows, from wherever they come.

    Args:
        name: What to call the dataset.
        is_strict: Refuse all if any row is unusable; else leave those out and tell.
    Raises:
        DataError: As `load_dataset`.
    """
    dataset = _collect(name, rows, mapping.apply, default_scorer)
    if not dataset.items or (is_strict and dataset.problems):
        raise DataError(_complaint(name, dataset))
    return dataset


def _from_registry(name: str, path: Path) -> Dataset:
    form = REGISTRY[name]

    def convert(raw: dict[str, Any]) -> ConvertedRow:
        try:
            return {"task": form.task, **form.convert(raw)}, {}
        except (KeyError, TypeError, AttributeError) as error:
            raise Unusable(f"not a row of {name}: {error}") from error

    return _collect(name, form.read(path), convert, None)


def _collect(
    name: str,
    rows: Iterable[NumberedRow],
    convert: Callable[[dict[str, Any]], ConvertedRow],
    default_scorer: ScorerName | None,
) -> Dataset:
    items: dict[str, DatasetItem] = {}
    problems: list[RowProblem] = []
    for number, raw in rows:
        if isinstance(raw, str):
            problems.append(RowProblem(number, None, raw))
            continue
        try:
            row, extra = convert(raw)
            item = build_item(QuestionRow.model_validate(row), name, default_scorer, extra)
        except ValidationError as error:
            problems.extend(_problems(number, error))
        except DataError as error:
            problems.append(RowProblem(number, None, error.message))
        except ValueError as error:
            problems.append(RowProblem(number, None, str(error)))
        else:
            if item.id in items:
                problems.append(RowProblem(number, "id", f"{item.id} stands twice, or the same question does"))
            items.setdefault(item.id, item)
    return Dataset(name, tuple(items.values()), tuple(problems))


def _problems(number: int, error: ValidationError) -> Iterator[RowProblem]:
    for one in error.errors(include_url=False, include_input=False):
        column = str(one["loc"][0]) if one["loc"] else None
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden" and column is not None:
            near = difflib.get_close_matches(column, QuestionRow.model_fields, n=1)
            message = f"unknown column; did you mean {near[0]}?" if near else "unknown column"
        yield RowProblem(number, column, message)


def _complaint(name: str, dataset: Dataset) -> str:
    if not dataset.problems:
        return f"{name}: holds no questions"
    told = "; ".join(str(one) for one in dataset.problems[:_MAX_TOLD])
    more = f"; and {len(dataset.problems) - _MAX_TOLD} more" if len(dataset.problems) > _MAX_TOLD else ""
    return f"{name}: {len(dataset.items)} good rows, {len(dataset.problems)} problems: {told}{more}"
