import re

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.curve import Step, draw_curve


def step(x: float, mean: float, told: str = "here") -> Step:
    return Step(x, Estimate(mean=mean, low=mean - 0.1, high=mean + 0.1, n=10), told)


def drawn(*steps: Step) -> str:
    return str(draw_curve(steps, "title", ("calls", "fitness"), lambda value: f"{value:.0f}"))


def test_the_line_keeps_its_height_until_the_best_changes() -> None:
    path = re.search(r'class="line c0" d="([^"]+)"', drawn(step(100, 0.5), step(200, 0.5), step(300, 0.8)))
    assert path is not None
    heights = [float(y) for y in re.findall(r"[ V]([\d.]+)", path[1])]
    assert heights[0] == heights[1] > heights[2], "up is better"


def test_more_spent_lies_further_right() -> None:
    places = [float(x) for x in re.findall(r'cx="([\d.]+)"', drawn(step(100, 0.5), step(200, 0.6), step(400, 0.7)))]
    assert places[2] - places[1] > places[1] - places[0] > 0


def test_text_is_escaped() -> None:
    assert "<script>" not in drawn(step(1, 0.5, "<script>"))
