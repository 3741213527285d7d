"""Replies to grade <-> JSONL or CSV, whichever the file's name says."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuroforge.contracts.experiment_desk import HumanLabel, LabelTask
from neuroforge.errors import DataError

_CSV = ".csv"


def write_tasks(path: Path, tasks: Sequence[LabelTask]) -> None:
    """Write one reply a row; `value` is for the grade."""
    rows = [task.model_dump(mode="json") for task in tasks]
    if path.suffix.lower() != _CSV:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # with the mark by which spreadsheets know UTF-8
        writer = csv.DictWriter(file, [*LabelTask.model_fields, "reason"], restval="")
        writer.writeheader()
        writer.writerows({**row, "references": json.dumps(row["references"], ensure_ascii=False)} for row in rows)


def read_labels(path: Path) -> list[HumanLabel]:
    """Return the graded rows; rows whose `value` is empty are passed over.

    Raises:
        DataError: No row is graded, or one cannot be read: names its line.
    """
    labels: list[HumanLabel] = []
    try:
        for number, row in _rows(path):
            if row.get("value") in (None, ""):
                continue
            try:
                labels.append(HumanLabel(cell_id=row["cell_id"], value=row["value"], reason=row.get("reason") or None))
            except (KeyError, ValidationError) as error:
                told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{error} is missing"
                raise DataError(f"{path}, line {number}: {told}", line=number) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not labels:
        raise DataError(f"{path}: no line has a `value`")
    return labels


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() == _CSV:
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, row
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _object(path, number, line)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number}: not JSON: {error.msg}", line=number) from error
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: a JSON object is wanted", line=number)
    return row
