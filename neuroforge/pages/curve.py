"""Means with their intervals over what was spent -> one SVG: a line that steps up as the best changes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.axes import Axes
from neuroforge.pages.scale import Scale, fit_scale

_AXES = Axes(width=620, height=300, left=50, right=16)


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
    places = [(_AXES.at_x(x_scale, one.x), _AXES.at_y(y_scale, one.y.mean)) for one in steps]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    inside = Markup("").join(
        (
            *_draw_grid(x_scale, y_scale, say_x),
            Markup('<path class="line c0" d="{}"/>').format(path),
            *(_draw_step(one, x, y, y_scale) for one, (x, y) in zip(steps, places, strict=True)),
        )
    )
    return _AXES.enclose(inside, title, *labels)


def _draw_grid(x_scale: Scale, y_scale: Scale, say_x: Callable[[float], str]) -> Iterator[Markup]:
    yield from _AXES.draw_levels(y_scale, lambda value: f"{value:.4g}")
    for value in x_scale.ticks():
        yield Markup('<text class="tick" x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>').format(
            x=_AXES.at_x(x_scale, value), y=_AXES.floor + 15, text=say_x(value)
        )


def _draw_step(one: Step, x: float, y: float, y_scale: Scale) -> Markup:
    return Markup(
        '<g class="c0"><title>{told}</title>'
        '<line class="whisker faint c0" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        '<circle class="dot c0" cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'
    ).format(told=one.told, x=x, y=y, low=_AXES.at_y(y_scale, one.y.low), high=_AXES.at_y(y_scale, one.y.high))
