import hashlib
from pathlib import Path

import pytest

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, JudgeReport
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import RequestError
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.items import write_left_out
from tests.unit.experiments.synthetic import Study, cell, config_of, finished

ANALYZER = ResultAnalyzer(now_s=lambda: 7.0)


async def test_a_study_names_its_winner_and_is_the_same_when_read_back(tmp_path: Path) -> None:
    planned = ("qwen2.5-coder-1.5b", "smollm2-135m")
    study = Study(prompts=Study().prompts[:1], n_items=60, config={"planned": (planned,)})
    analysis = await ANALYZER.analyze_results(study.run(tmp_path))
    assert analysis.winner == "qwen2.5-coder-1.5b"
    assert analysis.summary[0].startswith("qwen2.5-coder-1.5b wins: quality")
    assert [(one.a, one.b) for one in analysis.comparisons if one.family == "planned" and one.metric == "quality"] == [
        planned
    ]
    assert {
        one.rank_low for one in analysis.summaries if one.metric == "quality" and not one.dataset and not one.task
    } == {1, 2, 3}
    assert (tmp_path / "outcomes.parquet").exists()
    assert Analysis.model_validate_json(analysis.model_dump_json()) == analysis


async def test_the_same_cells_give_the_same_analysis(tmp_path: Path) -> None:
    study = Study(prompts=Study().prompts[:1], n_items=12, is_graded=True)
    results = study.run(tmp_path)
    assert await ANALYZER.analyze_results(results) == await ANALYZER.analyze_results(results)


async def test_no_difference_is_called_none(tmp_path: Path) -> None:
    rows = [cell(one, str(item), float(item % 2)) for one in "ab" for item in range(30)]
    rows[0] = cell("a", "0", 1.0)
    analysis = await ANALYZER.analyze_results(finished(tmp_path, rows, config_of("ab")))
    assert analysis.winner is None
    need = analysis.comparisons[0].n_needed
    head, tail = analysis.summary[0].split(" (95 % interval ")
    assert head == "No winner: a is ahead with 53.3 %"
    assert tail.endswith(f") on 30 items, but no difference from b is shown at n=30, would need about {need}.")


async def test_when_every_call_failed_nothing_is_said_of_quality(tmp_path: Path) -> None:
    rows = [cell(one, str(item), error_code="engine_unavailable") for one in "ab" for item in range(3)]
    results = finished(tmp_path, rows, config_of("ab"), down={"a": "connection refused"})
    analysis = await ANALYZER.analyze_results(results)
    assert analysis.summary == (
        "Nothing was scored: 6 calls failed, 0 replies have no score. Nothing can be said about quality.",
    )
    assert analysis.winner is None
    assert analysis.comparisons == analysis.insights == ()
    assert analysis.failures == {one: {"engine_unavailable": 3} for one in "ab"}
    assert (
        "The model a was given up: connection refused. Its other cells are errors, never scores of 0." in analysis.notes
    )


async def test_a_stopped_run_says_what_is_missing(tmp_path: Path) -> None:
    rows = [cell("a", str(item), 1.0) for item in range(3)]
    analysis = await ANALYZER.analyze_results(finished(tmp_path, rows, config_of("ab"), n_cells=10))
    assert analysis.notes[0].startswith("The run is not complete: 3 of 10 cells are done, stopped by max_calls.")
    assert "b has no cell: nothing was asked of it yet." in analysis.notes


async def test_a_judge_without_trust_names_no_winner_and_routes_nothing(tmp_path: Path) -> None:
    rows = [cell(one, str(item), float(one == "a")) for one in "ab" for item in range(30)]
    judge = JudgeReport(judge_model="j", n_judged=60, is_trusted=False, note="kappa 0.12 against 40 human labels")
    results = finished(tmp_path, rows, config_of("ab"))
    analysis = await ANALYZER.analyze_results(results, judge=judge)
    assert analysis.winner is None
    assert analysis.insights == ()
    assert "the judge cannot be trusted: kappa 0.12 against 40 human labels" in analysis.summary[0]
    assert await ANALYZER.generate_insights(results, judge=judge) == ()
    assert (await ANALYZER.generate_insights(results))[0].model_id == "a"


async def test_gates_and_benchmarks_are_told(tmp_path: Path) -> None:
    rows = [cell(one, str(item), float(one == "a" or item > 20)) for one in "ab" for item in range(30)]
    config = config_of("ab", gates=({"better": "a", "reference": "b"},))
    score = BenchmarkScore(
        suite="math",
        dataset="asdiv",
        variant_id="a",
        estimate=Estimate(mean=0.5, low=0.4, high=0.6, n=90),
        n_scored=90,
        protocol="zero-shot",
    )
    analysis = await ANALYZER.analyze_results(finished(tmp_path, rows, config), [score])
    assert analysis.gates[0].holds
    assert analysis.summary[-2].startswith("Gate `a >= b` holds: the difference is +70.0 points")
    assert analysis.summary[-1] == "Benchmark math, asdiv: a 50.0 %."


async def test_a_gate_of_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    config = config_of("ab", gates=({"better": "c", "reference": "b"},))
    with pytest.raises(RequestError, match="'c' is no variant of this experiment; name one of a, b"):
        await ANALYZER.analyze_results(finished(tmp_path, [cell("a", "1", 1.0)], config))


async def test_provenance_tells_weights_seeds_versions_and_the_items(tmp_path: Path) -> None:
    analysis = await ANALYZER.analyze_results(finished(tmp_path, [cell("a", "1", 1.0)], config_of("ab", seed=11)))
    digest = hashlib.sha256((tmp_path / "items.jsonl").read_bytes()).hexdigest()
    assert analysis.provenance["dataset quiz"] == f"1 items, sha256 {digest}"
    assert analysis.provenance["weights of a"] == hashlib.sha256(b"a").hexdigest()
    assert analysis.provenance["seed"] == "11"
    assert {"version of neuroforge", "version of scipy"} <= set(analysis.provenance)


async def test_other_metrics_are_compared_only_if_asked_for(tmp_path: Path) -> None:
    rows = [cell(one, str(item), 1.0, latency_s=0.5 + item / 99 + (one == "a")) for one in "ab" for item in range(20)]
    quiet = await ANALYZER.analyze_results(finished(tmp_path / "x", rows, config_of("ab")))
    asked = await ANALYZER.analyze_results(
        finished(tmp_path / "y", rows, config_of("ab", metrics=("quality", "speed")))
    )
    assert {one.metric for one in quiet.comparisons} == {"quality"}
    assert {one.metric for one in asked.comparisons} == {"quality", "ttft_s", "latency_s", "tokens_per_s"}
    assert next(one.verdict for one in asked.comparisons if one.metric == "latency_s") == "b_better"


async def test_rows_that_were_left_out_are_told(tmp_path: Path) -> None:
    rows = [cell(one, str(item), float(item % 2)) for one in "ab" for item in range(30)]
    results = finished(tmp_path, rows, config_of("ab"))
    write_left_out(("quiz: row 2: no number", "quiz: row 9"), tmp_path)
    analysis = await ANALYZER.analyze_results(results)
    told = "2 rows of the datasets could not be used and were left out; the first: quiz: row 2: no number."
    assert told in analysis.notes
