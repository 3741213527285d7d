import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, ExperimentReport, JudgeReport
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.report import ReportGenerator
from tests.unit.experiments.synthetic import Study, cell, config_of, finished

ANALYZER = ResultAnalyzer(now_s=lambda: 1_795_600_000.0)
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"
VOID = {"meta", "link", "input", "wbr", "line", "circle", "path", "img", "br"}


class Page(HTMLParser):
    """What a browser would see, as far as a test asks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


async def reported(
    results: MatrixResult, benchmarks: list[BenchmarkScore] | None = None, judge: JudgeReport | None = None
) -> tuple[ExperimentReport, str, str]:
    analysis = await ANALYZER.analyze_results(results, benchmarks, judge=judge)
    report = await ReportGenerator().generate_comprehensive_report(results.plan, results, benchmarks, analysis)
    return report, Path(report.html_path).read_text(), Path(report.markdown_path).read_text()


def small(directory: Path, **fields: object) -> MatrixResult:
    rows = [cell(one, str(item), float(one == "a" or item > 9), **fields) for one in "ab" for item in range(30)]
    return finished(directory, rows, config_of("ab"))


async def test_the_page_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    _, html, _ = await reported(Study(n_items=8, prompts=Study().prompts[:1]).run(tmp_path))
    page = Page(html)
    assert page.open == []
    assert page.count("script") == page.count("style") == 1
    assert not [attrs for _, attrs in page.tags if {"src", "srcset", "action"} & set(attrs)]
    assert all((attrs["href"] or "").startswith("#") for _, attrs in page.tags if "href" in attrs)
    assert not re.search(r"@import|url\(", html)


async def test_replies_cannot_bring_in_markup(tmp_path: Path) -> None:
    results = small(tmp_path, reply=HOSTILE, answer=HOSTILE, score_reason=HOSTILE, finish_reason=HOSTILE)
    _, html, markdown = await reported(results)
    page = Page(html)
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert "<script>" not in re.sub(r"(?s)```.*?```", "", markdown).replace(r"\<script\>", "")
    assert HOSTILE in "".join(page.text)


async def test_names_of_models_and_datasets_cannot_either(tmp_path: Path) -> None:
    rows = [cell("<b>a", str(item), 1.0, dataset="<i>d", task="<u>t") for item in range(5)]
    _, html, _ = await reported(finished(tmp_path, rows, config_of(["<b>a"])))
    page = Page(html)
    assert page.count("b") == page.count("i") == page.count("u") == 0


async def test_the_policy_allows_only_the_script_and_the_style_that_are_there(tmp_path: Path) -> None:
    _, html, _ = await reported(small(tmp_path))
    policy = next(attrs["content"] for tag, attrs in Page(html).tags if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


async def test_what_is_said_stands_in_both_forms(tmp_path: Path) -> None:
    report, html, markdown = await reported(small(tmp_path))
    text = " ".join("".join(Page(html).text).split())
    assert report.summary[0] in text
    assert report.summary[0].replace("|", r"\|") in markdown
    for word in ("neuroforge experiment rerun exp-7f3a", "sha256", "version of neuroforge", "name: quiz night"):
        assert word in text
        assert word in markdown
    assert "| 1 | a (winner) | 100.0 % |" in markdown


async def test_a_table_by_dataset_says_who_leads(tmp_path: Path) -> None:
    rows = [
        cell(one, f"{name}{item}", float(one == "a"), dataset=name)
        for one in "ab"
        for name in ("x", "y")
        for item in range(20)
    ]
    _, _, markdown = await reported(finished(tmp_path, rows, config_of("ab")))
    assert "| a leads: better than the other |" in markdown


async def test_the_analysis_lies_beside_it(tmp_path: Path) -> None:
    report, _, _ = await reported(small(tmp_path))
    assert Analysis.model_validate_json(Path(report.analysis_path).read_text()).winner == "a"


async def test_one_variant_has_neither_differences_nor_a_rank(tmp_path: Path) -> None:
    rows = [cell("a", str(item), item / 30) for item in range(30)]
    _, html, _ = await reported(finished(tmp_path, rows, config_of("a")))
    assert "There is nothing to compare it with." in html
    assert 'id="differences"' not in html


async def test_when_every_call_failed_the_page_says_so_and_shows_the_errors(tmp_path: Path) -> None:
    rows = [cell(one, str(item), error_code="engine_timeout", error="too slow") for one in "ab" for item in range(4)]
    _, html, markdown = await reported(finished(tmp_path, rows, config_of("ab")))
    assert "Nothing was scored: 8 calls failed" in html
    assert "failed: engine_timeout: too slow" in html
    assert "| a | engine\\_timeout | 4 |" in markdown


async def test_a_judge_and_benchmarks_have_their_tables(tmp_path: Path) -> None:
    judge = JudgeReport(
        judge_model="gemma",
        n_judged=60,
        kappa=Estimate(mean=0.3, low=0.1, high=0.5, n=40),
        is_trusted=False,
        note="below .4",
    )
    score = BenchmarkScore(
        suite="math", dataset="asdiv", variant_id="a", estimate=None, n_scored=0, protocol="zero-shot"
    )
    _, html, markdown = await reported(small(tmp_path), [score], judge)
    for text in (html, markdown):
        assert "0.30 (0.10 to 0.50), n=40" in text
        assert "zero-shot" in text


async def test_a_large_run_shows_its_most_telling_items_and_stays_small(tmp_path: Path) -> None:
    rows = [cell(one, f"{item:04}", float(item % 3 == 0), reply="x" * 4000) for one in "abcd" for item in range(1500)]
    _, html, _ = await reported(finished(tmp_path, rows, config_of("abcd")))
    assert "The 200 most telling of 1,500 items" in " ".join(html.split())
    assert "(2,500 more characters)" in html
    assert len(html) < 3_000_000


async def test_an_analysis_of_another_experiment_is_refused(tmp_path: Path) -> None:
    results = small(tmp_path)
    analysis = await ANALYZER.analyze_results(results)
    other = results.plan.model_validate({**results.plan.model_dump(), "id": "exp-other"})
    with pytest.raises(DataError, match="the analysis is of exp-7f3a, the experiment is exp-other"):
        await ReportGenerator().generate_comprehensive_report(other, results, None, analysis)
