"""The page of an optimisation."""

import re
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.prompts.directory import REPORT
from tests.unit.prompts.fakes import FakeModels
from tests.unit.prompts.test_pipeline import Tutor, config, core, items

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


async def page_of(directory: Path, models: FakeModels, **changes: Any) -> str:
    await core(models).optimize_prompt(config(**changes), items(), directory)
    return (directory / REPORT).read_text()


async def test_the_page_has_all_its_parts_and_fetches_nothing(tmp_path: Path) -> None:
    page = await page_of(tmp_path, Tutor())

    for part in ("summary", "prompt", "spend", "lineage", "front", "parts", "examples", "findings", "again"):
        assert f'<section id="{part}"' in page, part
    assert "the winner takes its place" in page
    assert '<span class="added">+Think step by step.</span>' in page
    assert "16 fixed, 0 broken, 14 the same." in page
    assert re.findall(r"(?:src|href)=\"(?!#)", page) == []
    assert "default-src &#39;none&#39;" in page


async def test_a_search_over_structures_shows_what_each_part_is_worth(tmp_path: Path) -> None:
    found = await core(Tutor()).optimize_prompt(config(strategy="nas"), items(), tmp_path)
    page = (tmp_path / REPORT).read_text()

    assert found.template is not None
    assert '<section id="worth"' in page
    first = found.template.slots[0]
    assert f'<th scope="row" rowspan="{len(first.choices)}">{first.slot}</th>' in page


async def test_where_nothing_was_better_the_page_says_so(tmp_path: Path) -> None:
    page = await page_of(tmp_path, FakeModels(answer=lambda _prompt: "no"))

    assert "The seed stays as it is." in page
    assert "No test item was asked with two prompts." in page


async def test_the_gap_between_search_and_test_is_told(tmp_path: Path) -> None:
    found = await core(Tutor()).optimize_prompt(config(), items(), tmp_path)

    assert found.search_test_gap == pytest.approx(found.scores["search"] - found.scores["optimized"])
    assert "how far the search fooled itself" in (tmp_path / REPORT).read_text()


async def test_text_of_prompts_questions_and_replies_is_shown_and_does_nothing(tmp_path: Path) -> None:
    class Evil(Tutor):
        async def chat(self, messages: Any, model: str, **options: Any) -> Any:
            body = await super().chat(messages, model, **options)
            said = body["choices"][0]["message"]["content"]
            text = said if said == "yes" else EVIL
            return {**body, "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}

    hostile = [
        DatasetItem(**{**dict(item), "query": f"{EVIL} q{number}", "group": f"g{number}"})
        for number, item in enumerate(items())
    ]
    seed = f"{EVIL}\n\n{{{{ query }}}}"

    await core(Evil()).optimize_prompt(config(prompt=seed), hostile, tmp_path)
    page = (tmp_path / REPORT).read_text()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == 1, "its own"
