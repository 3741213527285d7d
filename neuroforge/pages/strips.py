"""A mean with its interval -> a small SVG strip for a table's cell; colours come from the page's style sheet."""

from collections.abc import Callable

from markupsafe import Markup

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.scale import Scale

WIDTH, HEIGHT, _EDGE = 220, 22, 6
_SVG = Markup('<svg class="strip" viewBox="0 0 {width} {height}" aria-hidden="true" focusable="false">{inside}</svg>')


def draw_strip(found: Estimate, scale: Scale, css: str, *, zero: bool = False) -> Markup:
    """Return a whisker with a dot; the numbers stand in the cell beside it.

    Args:
        css: Class that colours it.
        zero: Also draw where no difference lies.
    """
    low, mean, high = (_place(scale, value) for value in (found.low, found.mean, found.high))
    middle = HEIGHT / 2
    inside = Markup("")
    if zero:
        inside += Markup('<line class="zero" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(
            _place(scale, 0.0), HEIGHT
        )
    inside += Markup(
        '<line class="whisker {css}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
        '<circle class="dot {css}" cx="{mean:.1f}" cy="{y}" r="4.5"/>'
    ).format(css=css, low=low, high=max(high, low + 0.5), mean=mean, y=middle)
    return _SVG.format(width=WIDTH, height=HEIGHT, inside=inside)


def draw_axis(scale: Scale, say: Callable[[float], str]) -> Markup:
    """Return the axis that belongs above the strips of a column."""
    inside = Markup("").join(
        Markup(
            '<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="22"/>'
            '<text class="tick" x="{x:.1f}" y="12" text-anchor="{anchor}">{text}</text>'
        ).format(x=_place(scale, value), anchor=_anchor(scale.share(value)), text=say(value))
        for value in scale.ticks(3)
    )
    return _SVG.format(width=WIDTH, height=HEIGHT, inside=inside)


def _place(scale: Scale, value: float) -> float:
    return _EDGE + scale.share(value) * (WIDTH - 2 * _EDGE)


def _anchor(share: float) -> str:
    return "start" if share < 0.06 else "end" if share > 0.94 else "middle"
