"""The decision behind an answer -> `neuroforge` in the answer's body, so that whoever asked can rate it."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")
HEADER = "x-neuroforge-decision"
"""`<decision id>;reason=<reason>`."""


def with_decision(read: T, headers: Mapping[str, str]) -> T:
    """Put `{"decision_id": ..., "reason": ...}` into an answer that is an object and came of a decision.

    Args:
        headers: Of the HTTP answer; names in any case.
    """
    told = next((value for name, value in headers.items() if name.lower() == HEADER), None)
    if told is not None and isinstance(read, dict):
        decision_id, _, reason = told.partition(";reason=")
        read["neuroforge"] = {"decision_id": decision_id, "reason": reason}
    return read
