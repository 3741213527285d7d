"""The report as a real browser shows it. Run by hand (`make test-browser`): it needs Debian's chromium and driver."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.report import ReportGenerator
from tests.browser.driver import Browser, chromium, recording_server
from tests.unit.experiments.synthetic import Study

pytestmark = pytest.mark.browser
HOSTILE = (
    '</pre><script>document.title="owned"</script><img src="/canary.png" onerror="document.title=\'owned\'">'
    '<link rel="stylesheet" href="/canary.css"><iframe src="/canary.html"></iframe>'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    results = Study(n_items=30, hostile=HOSTILE).run(directory)
    analysis = asyncio.run(ResultAnalyzer(now_s=lambda: 1_795_600_000.0).analyze_results(results))
    asyncio.run(ReportGenerator().generate_comprehensive_report(results.plan, results, None, analysis))
    page = (directory / "report.html").read_text()
    # The same page without its two walls, to see that the canary would sing.
    bare = page.replace('http-equiv="Content-Security-Policy"', 'name="none"').replace("<main", f"{HOSTILE}<main", 1)
    (directory / "bare.html").write_text(bare)
    return directory


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


def test_it_asks_for_nothing_but_itself(site: Path, browser: Browser) -> None:
    with recording_server(site) as (address, asked):
        browser.open(f"{address}/report.html")
        browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        browser.run("document.getElementById('more').click()")
        assert browser.run("return performance.getEntriesByType('resource').length") == 0
        assert "owned" not in browser.run("return document.title")
        assert browser.run("return document.querySelectorAll('img, iframe, link').length") == 0
        assert asked == ["/report.html"]


def test_without_its_walls_the_same_replies_would_fetch(site: Path, browser: Browser) -> None:
    with recording_server(site) as (address, asked):
        browser.open(f"{address}/bare.html")
        assert "/canary.png" in asked
        assert browser.run("return document.title") == "owned"


def test_the_policy_stops_markup_that_was_not_escaped(site: Path, browser: Browser) -> None:
    page = (site / "report.html").read_text().replace("<main", f"{HOSTILE}<main", 1)
    (site / "unescaped.html").write_text(page)
    with recording_server(site) as (address, asked):
        browser.open(f"{address}/unescaped.html")
        assert asked == ["/unescaped.html"]
        assert browser.run("return document.title") != "owned"


def test_filters_show_the_wins_of_one_over_the_other(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    browser.run(
        "const form = document.getElementById('filter'); form.elements.outcome.value = 'win'; "
        "form.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    shown = browser.run(
        "return [...document.querySelectorAll('details.item:not([hidden])')].map((item) => "
        "['1', '2'].map((n) => item.querySelector(`summary .mark[data-number='${n}']`).dataset.score))"
    )
    assert shown
    assert all(float(a) > float(b) for a, b in shown)
    told = browser.run("return document.querySelector('#filter output').value")
    assert told.split(" of ")[0] == str(len(shown)) or len(shown) == 40


def test_a_search_finds_text_inside_replies(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    browser.run(
        "const form = document.getElementById('filter'); form.elements.text.value = 'PASSAGE 3:'; "
        "form.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    texts = browser.run(
        "return [...document.querySelectorAll('details.item:not([hidden])')].map((item) => item.textContent)"
    )
    assert texts
    assert all("Passage 3:" in text for text in texts)


def test_columns_sort_by_a_click_and_by_the_keyboard(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    names = "return [...document.querySelectorAll('#leaderboard tbody th')].map((cell) => cell.dataset.value)"
    assert browser.run(names) == [str(number) for number in range(1, 7)]
    heading = "document.querySelectorAll('#leaderboard thead th')[1]"
    browser.run(f"{heading}.click()")
    assert browser.run(names) == [str(number) for number in range(6, 0, -1)]
    browser.run(f"{heading}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter'}}))")
    assert browser.run(names) == [str(number) for number in range(1, 7)]


def test_all_pairs_appear_on_demand(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    count = "return [...document.querySelectorAll('table.pairs tbody tr')].filter((row) => row.offsetHeight > 0).length"
    assert browser.run(count) == 5
    browser.run("document.getElementById('all-pairs').click()")
    assert browser.run(count) == 15


def test_dark_and_light_differ_and_both_can_be_read(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    colours = (
        "const style = getComputedStyle(document.body); "
        "return [style.color, style.backgroundColor].map((one) => one.match(/\\d+/g).slice(0, 3).map(Number))"
    )
    light = browser.run(colours)
    browser.run("document.getElementById('theme').click()")
    dark = browser.run(colours)
    assert light != dark
    assert min(_contrast(*light), _contrast(*dark)) > 7


def test_a_phone_scrolls_no_page_sideways(site: Path, browser: Browser) -> None:
    browser.open((site / "report.html").as_uri())
    browser.resize_view(375, 740)
    assert browser.run("return document.documentElement.scrollWidth") <= 375
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.run("return document.documentElement.scrollWidth") <= 375


def _contrast(a: list[int], b: list[int]) -> float:
    """WCAG 2.2, relative luminance."""

    def luminance(colour: list[int]) -> float:
        parts = [one / 255 for one in colour]
        r, g, b = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
