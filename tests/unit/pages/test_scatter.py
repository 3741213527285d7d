import math
import re
from xml.etree import ElementTree

from neuroforge.contracts.rules import Estimate
from neuroforge.pages.scatter import Point, draw_scatter


def near(value: float) -> Estimate:
    return Estimate(mean=value, low=0.98 * value, high=1.02 * value, n=9)


def draw(*places: tuple[float, float], name: str = "a") -> ElementTree.Element:
    points = [Point(number, name, "c0", near(x), near(y)) for number, (x, y) in enumerate(places, start=1)]
    return ElementTree.fromstring(draw_scatter(points, "title", "latency", "{:.2g} s".format))


def test_numbers_of_points_in_one_place_do_not_cover_each_other() -> None:
    svg = draw(*[(1.0, 0.5)] * 6)
    badges = [
        (float(one.attrib["cx"]), float(one.attrib["cy"])) for one in svg.iter("circle") if one.attrib["r"] == "9.0"
    ]
    gaps = [math.dist(a, b) for index, a in enumerate(badges) for b in badges[:index]]
    assert len(badges) == 6
    assert min(gaps) > 15


def test_the_front_leaves_out_what_is_slower_and_worse() -> None:
    svg = draw((1.0, 0.5), (2.0, 0.4), (3.0, 0.9))
    (front,) = [one.attrib["d"] for one in svg.iter("path")]
    assert len(re.findall("[MHV]", front)) == 3


def test_one_point_has_no_front() -> None:
    assert not list(draw((1.0, 0.5)).iter("path"))


def test_a_name_cannot_end_the_picture() -> None:
    svg = draw((1.0, 0.5), name="</title><script>alert(1)</script>")
    assert not list(svg.iter("script"))
