"""Quality against what it takes (latency, cost) -> one SVG, with intervals and the Pareto front of the two."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.axes import Axes
from neuroforge.pages.scale import Scale, fit_scale

_AXES = Axes(width=460, height=320, left=46, right=14)
_BADGE = 9.0
_CLEAR = 15.0
"""Between a number and the nearest dot or number, so that neither covers the other."""
_OFFSETS = tuple(
    (distance * math.cos(turn * math.pi / 4), -distance * math.sin(turn * math.pi / 4))
    for distance in (16, 26, 38)
    for turn in (1, 3, 7, 5, 2, 0, 6, 4)
)


@dataclass(frozen=True)
class Point:
    """One variant."""

    number: int
    """Its badge: the place in the leaderboard."""
    name: str
    css: str
    x: Estimate
    quality: Estimate


@dataclass(frozen=True)
class _Place:
    """A point in the picture."""

    point: Point
    x: float
    y: float


def draw_scatter(points: Sequence[Point], title: str, x_label: str, say_x: Callable[[float], str]) -> Markup:
    """Return the plot; lower x is better, so the best corner is on the upper left.

    Args:
        points: At least one.
        title: For screen readers.
    """
    x_scale = fit_scale([value for one in points for value in (one.x.low, one.x.high)], may_log=True)
    y_scale = fit_scale([v for one in points for v in (one.quality.low, one.quality.high)], within=(0.0, 1.0))
    places = [_Place(one, _AXES.at_x(x_scale, one.x.mean), _AXES.at_y(y_scale, one.quality.mean)) for one in points]
    inside = Markup("").join(
        (
            *_draw_grid(x_scale, y_scale, say_x),
            *_draw_front(places),
            *(_draw_whiskers(one, x_scale, y_scale) for one in places),
            *_draw_points(places, say_x),
        )
    )
    label = f"{x_label}{', logarithmic' if x_scale.is_log else ''} (left is better)"
    return _AXES.enclose(inside, title, label, "quality")


def _draw_grid(x_scale: Scale, y_scale: Scale, say_x: Callable[[float], str]) -> Iterator[Markup]:
    yield from _AXES.draw_levels(y_scale, lambda value: f"{100 * value:.4g} %")
    for value in x_scale.ticks():
        x = _AXES.at_x(x_scale, value)
        yield Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}"/>'
            '<text class="tick" x="{x:.1f}" y="{text_y}" text-anchor="middle">{text}</text>'
        ).format(x=x, top=_AXES.top, floor=_AXES.floor, text_y=_AXES.floor + 15, text=say_x(value))


def _draw_front(places: Sequence[_Place]) -> Iterator[Markup]:
    """Yield the steps between points that no other beats on both axes."""
    front: list[_Place] = []
    for one in sorted(places, key=lambda one: (one.x, one.y)):
        if not front or one.y < front[-1].y - 1e-9:
            front.append(one)
    if len(front) > 1:
        path = f"M{front[0].x:.1f} {front[0].y:.1f}" + "".join(f"H{one.x:.1f}V{one.y:.1f}" for one in front[1:])
        yield Markup('<path class="front" d="{}"/>').format(path)


def _draw_whiskers(one: _Place, x_scale: Scale, y_scale: Scale) -> Markup:
    return Markup(
        '<line class="whisker faint {css}" x1="{x_low:.1f}" x2="{x_high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<line class="whisker faint {css}" x1="{x:.1f}" x2="{x:.1f}" y1="{y_low:.1f}" y2="{y_high:.1f}"/>'
    ).format(
        css=one.point.css,
        x=one.x,
        y=one.y,
        x_low=_AXES.at_x(x_scale, one.point.x.low),
        x_high=_AXES.at_x(x_scale, one.point.x.high),
        y_low=_AXES.at_y(y_scale, one.point.quality.low),
        y_high=_AXES.at_y(y_scale, one.point.quality.high),
    )


def _draw_points(places: Sequence[_Place], say_x: Callable[[float], str]) -> Iterator[Markup]:
    """Yield dots, and their numbers where these cover neither a dot nor another number, if there is such a place."""
    taken = [(one.x, one.y) for one in places]
    for one in places:
        x, y = _find_room(one, taken)
        taken.append((x, y))
        told = f"{one.point.name}: quality {100 * one.point.quality.mean:.1f} %, {say_x(one.point.x.mean)}"
        yield Markup(
            '<g class="{css}"><title>{told}</title><line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{bx:.1f}" '
            'y2="{by:.1f}"/><circle class="dot {css}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/><circle class="badge {css}" '
            'cx="{bx:.1f}" cy="{by:.1f}" r="{r}"/><text class="badge" x="{bx:.1f}" y="{ty:.1f}" '
            'text-anchor="middle">{number}</text></g>'
        ).format(
            css=one.point.css, told=told, x=one.x, y=one.y, bx=x, by=y, ty=y + 4, r=_BADGE, number=one.point.number
        )


def _find_room(one: _Place, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    best, best_gap = (one.x, one.y), -math.inf
    for dx, dy in _OFFSETS:
        x, y = one.x + dx, one.y + dy
        if not _AXES.holds(x, y, _BADGE):
            continue
        gap = min(math.hypot(x - other_x, y - other_y) for other_x, other_y in taken)
        if gap > _CLEAR:
            return x, y
        if gap > best_gap:
            best, best_gap = (x, y), gap
    return best
