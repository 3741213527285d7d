"""Seconds that people may write as 30, "30s", "10m", "1.5h" or "2d"."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNIT_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration_s(value: Any) -> Any:
    """Return seconds for a text with a unit; anything else is left to the type check.

    Raises:
        ValueError: Text that is not a number with s, m, h or d.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration such as 30, '30s', '10m', '1.5h' or '2d'")
    return float(match[1]) * _UNIT_S[match[2]]


Duration = Annotated[float, BeforeValidator(parse_duration_s), Field(gt=0)]
