"""A chart's size and margins -> places in it, its lines across with their values, and the SVG around what is drawn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.pages.scale import Scale


@dataclass(frozen=True)
class Axes:
    """Pixels; the labels stand below and on the left of the area between the margins."""

    width: int
    height: int
    left: int
    right: int
    top: int = 14
    bottom: int = 44

    @property
    def floor(self) -> int:
        """Where the x axis lies."""
        return self.height - self.bottom

    def at_x(self, scale: Scale, value: float) -> float:
        """Return the place of a value on the x axis."""
        return self.left + scale.share(value) * (self.width - self.left - self.right)

    def at_y(self, scale: Scale, value: float) -> float:
        """Return the place of a value on the y axis."""
        return self.floor - scale.share(value) * (self.floor - self.top)

    def holds(self, x: float, y: float, radius: float) -> bool:
        """Whether a circle there lies between the margins."""
        return self.left + radius < x < self.width - self.right - radius and self.top + radius < y < self.floor - radius

    def draw_levels(self, scale: Scale, say: Callable[[float], str]) -> Iterator[Markup]:
        """Yield a line across for each tick of the y axis, with its value."""
        for value in scale.ticks():
            y = self.at_y(scale, value)
            yield Markup(
                '<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                '<text class="tick" x="{text_x}" y="{text_y:.1f}" text-anchor="end">{text}</text>'
            ).format(
                left=self.left, right=self.width - self.right, y=y, text_x=self.left - 5, text_y=y + 4, text=say(value)
            )

    def enclose(self, inside: Markup, title: str, x_label: str, y_label: str) -> Markup:
        """Return the picture; the title is for screen readers."""
        return Markup(
            '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{inside}'
            '<text class="axis" x="{middle}" y="{bottom}" text-anchor="middle">{x_label}</text>'
            '<text class="axis" x="12" y="{half}" text-anchor="middle" transform="rotate(-90 12 {half})">{y_label}'
            "</text></svg>"
        ).format(
            width=self.width,
            height=self.height,
            title=title,
            inside=inside,
            middle=(self.left + self.width - self.right) / 2,
            bottom=self.height - 8,
            half=(self.top + self.floor) / 2,
            x_label=x_label,
            y_label=y_label,
        )
