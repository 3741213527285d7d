"""One finding of the doctor."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    name: str
    level: Level
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return a plain object."""
        return asdict(self)


def graded(name: str, value: float, warn_below: float, fail_below: float, detail: str, remedy: str) -> Check:
    """Return ok, warn or fail for a number of which more is better."""
    level: Level = "fail" if value < fail_below else "warn" if value < warn_below else "ok"
    return Check(name, level, detail, "" if level == "ok" else remedy)
