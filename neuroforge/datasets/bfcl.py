"""The Berkeley Function-Calling Leaderboard's files -> rows with OpenAI tools and expected calls."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.datasets.read import NumberedRow, read_rows

CATEGORIES = ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance")
"""One call; one of several functions; several calls; both; none of the functions fits."""
_TYPES = {"dict": "object", "float": "number", "tuple": "array"}


def read_bfcl(directory: Path) -> Iterator[NumberedRow]:
    """Yield each question with its category and right answers; `irrelevance` has none, and wants no call.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    for category in CATEGORIES:
        answers = {}
        if category != "irrelevance":
            rows = read_rows(directory / f"{category}.answers.jsonl")
            answers = {row["id"]: row["ground_truth"] for _, row in rows if isinstance(row, dict)}
        for number, row in read_rows(directory / f"{category}.jsonl"):
            if isinstance(row, str):
                yield number, row
            else:
                yield number, {**row, "category": category, "ground_truth": answers.get(row["id"], [])}


def convert_bfcl(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return our columns: the question's messages, its functions as OpenAI tools, and the calls that are right."""
    return {
        "id": raw["id"],
        "messages": raw["question"][0],
        "tools": [_as_tool(function) for function in raw["function"]],
        "scorer": "function_call",
        "reference": json.dumps([_as_expected(call) for call in raw["ground_truth"]], ensure_ascii=False),
        "group": None,
    }


def _as_tool(function: JsonObject) -> JsonObject:
    """Names on OpenAI's wire hold no dots."""
    known = {"description": function.get("description", ""), "parameters": _as_schema(function["parameters"])}
    return {"type": "function", "function": {"name": function["name"].replace(".", "_"), **known}}


def _as_schema(parameters: JsonObject) -> JsonObject:
    """Python's names of types become JSON schema's; `any` is no type."""
    schema = {name: value for name, value in parameters.items() if name != "type"}
    kind = parameters.get("type")
    if kind is not None and kind != "any":
        schema = {"type": _TYPES.get(kind, kind), **schema}
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {name: _as_schema(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _as_schema(schema["items"])
    return schema


def _as_expected(call: JsonObject) -> JsonObject:
    [(name, arguments)] = call.items()
    return {"name": name, "arguments": arguments}
