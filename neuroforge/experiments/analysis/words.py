"""Numbers -> text with the unit of their metric."""

from neuroforge.contracts.rules import Estimate
from neuroforge.statistics.interval import Interval

UNITS = {"ttft_s": " s", "latency_s": " s", "tokens_per_s": " tok/s", "cost_usd": " USD"}
SHARES = ("quality", "consistency")
"""Told as percent; their differences as percentage points."""
TITLES = {
    "quality": "Quality",
    "consistency": "Consistency",
    "ttft_s": "Time to first token",
    "latency_s": "Latency",
    "tokens_per_s": "Tokens a second",
    "cost_usd": "Cost of a call",
}


def say_value(metric: str, value: float) -> str:
    """Return a value, such as `61.5 %` or `0.42 s`."""
    if metric in SHARES:
        return f"{100 * value:.1f} %"
    return f"{_three_digits(value)}{UNITS[metric]}"


def say_amount(metric: str, value: float) -> str:
    """Return the size of a difference, such as `4.0 points` or `0.42 s`."""
    return f"{100 * value:.1f} points" if metric in SHARES else say_value(metric, value)


def say_difference(metric: str, found: Estimate | Interval) -> str:
    """Return the ends of a difference's interval with their signs, such as `+1.2 to +6.9 points`."""
    if metric in SHARES:
        return f"{_signed(100 * found.low)} to {_signed(100 * found.high)} points"
    return f"{_signed_digits(found.low)} to {_signed_digits(found.high)}{UNITS[metric]}"


def _signed(value: float) -> str:
    return f"{value:+.1f}" if abs(value) >= 0.05 else "0.0"


def _signed_digits(value: float) -> str:
    return ("+" if value > 0 else "") + _three_digits(value)


def _three_digits(value: float) -> str:
    """Return three significant digits without an exponent for what people meet; the rest with one."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        text = f"{value:#.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        return text.rstrip(".") if "e" not in text else f"{value:.0f}"
    return f"{value:.2e}"
