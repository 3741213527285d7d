"""Differences and corrected p-values -> verdicts, in words that claim no more than the data shows."""

from neuroforge.contracts.analysis import Verdict
from neuroforge.experiments.analysis.words import say_amount, say_difference
from neuroforge.statistics.interval import LEVEL, Interval
from neuroforge.statistics.power import Power

ALPHA = 1 - LEVEL
_MORE = {
    "quality": ("better than", "worse than"),
    "consistency": ("more consistent than", "less consistent than"),
    "ttft_s": ("slower to its first token than", "faster to its first token than"),
    "latency_s": ("slower than", "faster than"),
    "tokens_per_s": ("faster in tokens a second than", "slower in tokens a second than"),
    "cost_usd": ("dearer than", "cheaper than"),
}
"""How to say that a value is higher, and that it is lower."""


def judge_pair(difference: float, p_adjusted: float, is_higher_better: bool) -> Verdict:
    """Return which of the two is better at a family-wise (or false discovery) level of 5 %, if any."""
    if p_adjusted > ALPHA or difference == 0:
        return "no_difference_shown"
    return "a_better" if (difference > 0) == is_higher_better else "b_better"


def say_pair(metric: str, a: str, b: str, difference: Interval, power: Power, verdict: Verdict) -> str:
    """Return a sentence for people: the difference with its interval, or how many items it would take to show one."""
    if verdict != "no_difference_shown":
        relation = _MORE[metric][0 if difference.mean > 0 else 1]
        return (
            f"{a} is {relation} {b} by {say_amount(metric, abs(difference.mean))} "
            f"(95 % interval of the difference {say_difference(metric, difference)}, n={difference.n:,})"
        )
    sentence = f"no difference shown between {a} and {b} at n={difference.n:,}"
    if power.n_needed is not None:
        return f"{sentence}; one of the size seen would need about {power.n_needed:,}"
    if difference.mean == 0:
        return f"{sentence}; they came out equal"
    return sentence
