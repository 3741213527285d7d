"""Comparisons -> rows of the forest plot, and the long table of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.contracts.analysis import Analysis, Comparison
from neuroforge.experiments.analysis.words import TITLES, say_amount, say_difference
from neuroforge.experiments.reporting.contestants import Contestant
from neuroforge.pages.scale import around_zero
from neuroforge.pages.strips import draw_axis, draw_strip

FEW_ROWS = 10
"""Pairs that are all shown at once."""
MAX_ROWS = 1000
"""Of the long table; analysis.json has all."""


@dataclass(frozen=True)
class ForestRow:
    """One pair on quality, over everything."""

    a: Contestant
    b: Contestant
    comparison: Comparison
    strip: Markup
    difference: str
    interval: str
    p: str
    """Corrected."""
    better: Contestant | None
    """None = no difference is shown."""
    power: str
    is_main: bool
    """Planned, or against the leader; the others are shown on demand."""


@dataclass(frozen=True)
class Forest:
    """The plot."""

    axis: Markup
    rows: tuple[ForestRow, ...]


def build_forest(analysis: Analysis, contestants: Sequence[Contestant]) -> Forest:
    """Return planned pairs first, then the leader's, then the others; the better-placed variant of a pair first."""
    by_id = {one.id: one for one in contestants}
    overall = [one for one in analysis.comparisons if one.metric == "quality" and _is_overall(one)]
    turned = [
        one if one.family == "planned" or by_id[one.a].number < by_id[one.b].number else turn(one) for one in overall
    ]
    turned.sort(key=lambda one: (one.family != "planned", by_id[one.a].number, by_id[one.b].number))
    scale = around_zero([end for one in turned for end in (one.difference.low, one.difference.high)] or [0.0])
    return Forest(
        axis=draw_axis(scale, lambda value: f"{100 * value:+.3g}" if value else "0"),
        rows=tuple(
            ForestRow(
                a=by_id[one.a],
                b=by_id[one.b],
                comparison=one,
                strip=draw_strip(one.difference, scale, _css(one), zero=True),
                difference=f"{100 * one.difference.mean:+.1f}",
                interval=say_difference("quality", one.difference).removesuffix(" points"),
                p=say_p(one.p_adjusted),
                better=None if one.verdict == "no_difference_shown" else by_id[one.a if _is_a(one) else one.b],
                power=_say_power(one),
                is_main=len(turned) <= FEW_ROWS or one.family == "planned" or by_id[one.a].number == 1,
            )
            for one in turned
        ),
    )


def turn(one: Comparison) -> Comparison:
    """Return the same comparison the other way round, for reading only: its sentence is left out."""
    difference = one.difference
    other = {"a_better": "b_better", "b_better": "a_better", "no_difference_shown": "no_difference_shown"}
    changes = {
        "a": one.b,
        "b": one.a,
        "difference": {"mean": -difference.mean, "low": -difference.high, "high": -difference.low, "n": difference.n},
        "n_wins": one.n_losses,
        "n_losses": one.n_wins,
        "verdict": other[one.verdict],
        "effect_size": None,
        "sentence": "",
    }
    return Comparison.model_validate({**one.model_dump(), **changes})


def say_verdict(one: Comparison) -> str:
    """Return which of the two is better."""
    if one.verdict == "no_difference_shown":
        return "no difference shown"
    return f"{one.a if _is_a(one) else one.b} is better"


def say_p(value: float) -> str:
    """Return a p-value with no more digits than it deserves."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _is_a(one: Comparison) -> bool:
    return one.verdict == "a_better"


def list_comparisons(analysis: Analysis) -> tuple[tuple[tuple[str, ...], ...], int]:
    """Return rows (metric, where, pair, difference, interval, test, p, adjusted p, correction, verdict), and how many
    there are in all: of more than MAX_ROWS those with the smallest p-values are kept."""
    kept = list(analysis.comparisons)
    if len(kept) > MAX_ROWS:
        least = sorted(kept, key=lambda one: one.p_value)[:MAX_ROWS]
        kept = [one for one in kept if one in least]
    return tuple(_list_row(one) for one in kept), len(analysis.comparisons)


def _list_row(one: Comparison) -> tuple[str, ...]:
    where = f"dataset {one.dataset}" if one.dataset else f"{one.task} tasks" if one.task else "everything"
    sign = "+" if one.difference.mean > 0 else "−" if one.difference.mean < 0 else ""
    return (
        TITLES[one.metric],
        where,
        f"{one.a} − {one.b}",
        f"{sign}{say_amount(one.metric, abs(one.difference.mean))}",
        say_difference(one.metric, one.difference),
        f"{one.n_wins} / {one.n_losses} / {one.n_ties}",
        one.test,
        say_p(one.p_value),
        say_p(one.p_adjusted),
        f"{one.family}, {one.correction}",
        say_verdict(one),
    )


def _say_power(one: Comparison) -> str:
    if one.n_needed is not None:
        return f"would need about {one.n_needed:,} items"
    if one.minimum_detectable is not None:
        return f"{100 * one.minimum_detectable:.1f} points detectable"
    return "–"


def _css(one: Comparison) -> str:
    return {"a_better": "better", "b_better": "worse", "no_difference_shown": "open"}[one.verdict]


def _is_overall(one: Comparison) -> bool:
    return one.dataset is None and one.task is None
