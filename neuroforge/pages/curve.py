"""Means with their intervals over what was spent -> one SVG: a line that steps up as the best changes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.scale import Scale, fit_scale

WIDTH, HEIGHT = 620, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 16, 14, 44


@dataclass(frozen=True)
class Step:
    """Where something stood when so much was spent."""

    x: float
    y: Estimate
    told: str
    """For who points at it."""


def draw_curve(steps: Sequence[Step], title: str, labels: tuple[str, str], say_x: Callable[[float], str]) -> Markup:
    """Return the picture.

    Args:
        steps: At least one, by growing x.
        title: For screen readers.
        labels: Of the x and the y axis; y lies in 0..1.
    """
    x_scale = fit_scale([0.0, *(one.x for one in steps)])
    y_scale = fit_scale([end for one in steps for end in (one.y.low, one.y.high)], within=(0.0, 1.0))
    places = [(_at_x(x_scale, one.x), _at_y(y_scale, one.y.mean)) for one in steps]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    inside = Markup("").join(
        (
            *_draw_grid(x_scale, y_scale, say_x),
            Markup('<path class="line c0" d="{}"/>').format(path),
            *(_draw_step(one, x, y, y_scale) for one, (x, y) in zip(steps, places, strict=True)),
        )
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{inside}'
        '<text class="axis" x="{middle}" y="{bottom}" text-anchor="middle">{x_label}</text>'
        '<text class="axis" x="12" y="{half}" text-anchor="middle" transform="rotate(-90 12 {half})">{y_label}</text>'
        "</svg>"
    ).format(
        width=WIDTH,
        height=HEIGHT,
        title=title,
        inside=inside,
        middle=(_LEFT + WIDTH - _RIGHT) / 2,
        bottom=HEIGHT - 8,
        half=(_TOP + HEIGHT - _BOTTOM) / 2,
        x_label=labels[0],
        y_label=labels[1],
    )


def _draw_grid(x_scale: Scale, y_scale: Scale, say_x: Callable[[float], str]) -> Iterator[Markup]:
    right, floor = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in y_scale.ticks():
        y = _at_y(y_scale, value)
        yield Markup(
            '<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text class="tick" x="{text_x}" y="{text_y:.1f}" text-anchor="end">{text}</text>'
        ).format(left=_LEFT, right=right, y=y, text_x=_LEFT - 5, text_y=y + 4, text=f"{value:.4g}")
    for value in x_scale.ticks():
        yield Markup('<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>').format(
            x=_at_x(x_scale, value), y=floor + 15, text=say_x(value)
        )


def _draw_step(one: Step, x: float, y: float, y_scale: Scale) -> Markup:
    return Markup(
        '<g class="c0"><title>{told}</title>'
        '<line class="whisker faint c0" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        '<circle class="dot c0" cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'
    ).format(told=one.told, x=x, y=y, low=_at_y(y_scale, one.y.low), high=_at_y(y_scale, one.y.high))


def _at_x(scale: Scale, value: float) -> float:
    return _LEFT + scale.share(value) * (WIDTH - _LEFT - _RIGHT)


def _at_y(scale: Scale, value: float) -> float:
    return HEIGHT - _BOTTOM - scale.share(value) * (HEIGHT - _TOP - _BOTTOM)
