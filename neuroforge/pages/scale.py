"""Values -> places on an axis, and round numbers to write beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 8.0
"""Positive values that differ by more than this factor get a logarithmic axis."""
_ROOM = 0.06
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies: 0 = at the low end, 1 = at the high one; values beyond are put at the end."""
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """Return at most so many round values within."""
        return _log_ticks(self.low, self.high, most) if self.is_log else _linear_ticks(self.low, self.high, most)


def fit_scale(values: Sequence[float], *, within: tuple[float, float] | None = None, may_log: bool = False) -> Scale:
    """Return an axis that holds all values with some room, and does not leave the bounds.

    Args:
        values: At least one.
        within: Bounds of what can be.
        may_log: Take a logarithmic axis where the values are positive and far apart.
    """
    low, high = min(values), max(values)
    if may_log and low > 0 and high / low > LOG_FROM:
        room = (high / low) ** _ROOM
        return Scale(low / room, high * room, is_log=True)
    room = (high - low) * _ROOM or abs(high) * _ROOM or 1.0
    low, high = low - room, high + room
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    elif min(values) >= 0:
        low = max(low, 0.0)
    return Scale(low, high)


def around_zero(values: Sequence[float]) -> Scale:
    """Return an axis for differences that holds zero and all values."""
    low, high = min(*values, 0.0), max(*values, 0.0)
    room = max(high - low, 0.01) * _ROOM
    return Scale(low - room, high + room)


def _linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(index * step, 12) + 0.0 for index in range(first, last + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = tuple(step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high)
        if len(found) <= most:
            break
    while len(found) > most:
        found = found[::2]
    return found
