"""The report of an optimisation as a real browser shows it; see test_report_in_chromium."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.prompts.directory import REPORT
from tests.browser.driver import Browser, chromium, recording_server
from tests.browser.test_report_in_chromium import HOSTILE
from tests.unit.prompts.test_pipeline import Tutor, config, core, items

pytestmark = pytest.mark.browser


class Hostile(Tutor):
    """Wrong answers bring in markup."""

    async def chat(self, messages: Any, model: str, **options: Any) -> Any:
        body = await super().chat(messages, model, **options)
        said = body["choices"][0]["message"]["content"]
        message = {"content": said if said == "yes" else HOSTILE}
        return {**body, "choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    asked = [DatasetItem(**{**dict(item), "query": f"{HOSTILE} {item.query}"}) for item in items()]
    seed = f"{HOSTILE} Do it.\n\n{{{{ query }}}}"
    asyncio.run(core(Hostile()).optimize_prompt(config(prompt=seed), asked, directory))
    return directory


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


def test_prompts_questions_and_replies_with_markup_do_nothing(site: Path, browser: Browser) -> None:
    with recording_server(site) as (address, asked):
        browser.open(f"{address}/{REPORT}")
        browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert browser.run("return performance.getEntriesByType('resource').length") == 0
        assert "owned" not in browser.run("return document.title")
        assert browser.run("return document.querySelectorAll('img, iframe, link').length") == 0
        assert browser.run("return document.body.innerText.includes('onerror')"), "it is shown as text"
        assert asked == [f"/{REPORT}"]


def test_pictures_have_their_colours_and_tables_sort(site: Path, browser: Browser) -> None:
    browser.open((site / REPORT).as_uri())
    assert browser.run("return document.querySelectorAll('svg.chart').length") == 4
    stroke = "return getComputedStyle(document.querySelector('svg .line')).stroke"
    assert browser.run(stroke) not in ("none", "rgb(0, 0, 0)")
    heading = "document.querySelector('#parts table.sortable thead th:last-child')"
    browser.run(f"{heading}.click()")
    gains = browser.run(
        "return [...document.querySelectorAll('#parts table.sortable')][0].querySelectorAll('tbody tr td:last-child')"
        ".values().map((one) => parseFloat(one.textContent)).toArray()"
    )
    assert gains == sorted(gains)


def test_on_a_phone_nothing_is_wider_than_the_screen(site: Path, browser: Browser) -> None:
    browser.open((site / REPORT).as_uri())
    browser.resize_view(390, 844)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
