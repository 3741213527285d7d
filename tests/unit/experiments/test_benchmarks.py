from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.analysis import BenchmarkScore
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig
from neuroforge.datasets.registry import REGISTRY
from neuroforge.errors import ConfigError
from neuroforge.experiments.benchmarks import BenchmarkSuite
from neuroforge.experiments.suites import SUITES
from tests.unit.experiments.synthetic import cell, finished


async def scores(directory: Path, config: ExperimentConfig, *rows: dict[str, Any]) -> tuple[BenchmarkScore, ...]:
    return await BenchmarkSuite().run_benchmarks(finished(directory, rows, config))


def test_every_suite_asks_registry_datasets_and_every_one_belongs_to_one_suite() -> None:
    asked = [member.dataset for suite in SUITES.values() for member in suite.members]
    assert sorted(asked) == sorted(REGISTRY)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_an_experiment_in_the_published_form(name: str) -> None:
    made = BenchmarkSuite().config(name, ["a", "b"], limit=20, seed=3)
    assert (made.models, made.seed, made.metrics, made.repeats) == (("a", "b"), 3, ("quality",), 1)
    assert [one.name for one in made.datasets] == [one.dataset for one in SUITES[name].members]
    assert {(one.n, one.form) for one in made.datasets} == {(20, "published")}
    assert made.decodings[0].temperature == 0


def test_mmlu_is_read_by_log_probability() -> None:
    assert BenchmarkSuite().config("knowledge", ["a"]).choice_by == "logprob"


def test_names_may_be_written_with_dashes() -> None:
    assert BenchmarkSuite().config("function-calling", ["a"]).datasets[0].name == "bfcl"


@pytest.mark.parametrize(
    ("suite", "models", "limit", "message"),
    [
        ("maths", ["a"], None, "'maths'; known are math"),
        ("zzz", ["a"], None, "known are knowledge, reasoning, reading"),
        ("math", [], None, "models"),
        ("math", ["a"], 0, "n: .*greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_told(suite: str, models: list[str], limit: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BenchmarkSuite().config(suite, models, limit)


async def test_each_variant_has_a_score_with_its_interval_and_protocol(tmp_path: Path) -> None:
    config = BenchmarkSuite().config("math", ["a", "b"])
    rows = [
        cell(model, f"q{number}", float(number < right), dataset="asdiv")
        for model, right in (("a", 30), ("b", 50))
        for number in range(50)
    ]
    rows[0] |= {"score": None, "error_code": "engine_error", "error": "down", "reply": None}
    found = await scores(tmp_path, config, *rows)
    assert [(one.suite, one.dataset, one.variant_id) for one in found] == [
        ("math", "asdiv", "a"),
        ("math", "asdiv", "b"),
    ]
    assert (found[0].n_scored, found[0].n_errors) == (49, 1)
    assert found[0].estimate is not None
    assert found[0].estimate.mean == pytest.approx(29 / 49)
    assert found[1].estimate is not None
    assert found[1].estimate.low < 1.0 == found[1].estimate.mean
    assert found[0].protocol == SUITES["math"].members[0].protocol


async def test_departures_from_the_suite_are_told(tmp_path: Path) -> None:
    config = ExperimentConfig(name="mine", models=("a",), datasets=(DatasetSource(name="mmlu", n=2),))
    found = await scores(tmp_path, config, cell("a", "q1", 1.0, dataset="mmlu"), cell("a", "q2", 0.0, dataset="mmlu"))
    assert "here in our own form" in found[0].protocol
    assert "here choices are read by text" in found[0].protocol
    assert "on 2 drawn questions" in found[0].protocol


async def test_the_users_own_data_is_no_benchmark(tmp_path: Path) -> None:
    sources = (DatasetSource(name="mmlu", uploaded="0" * 64), DatasetSource(name="mine.jsonl"))
    config = ExperimentConfig(name="mine", models=("a",), datasets=sources)
    assert await scores(tmp_path, config, cell("a", "q1", 1.0, dataset="mmlu")) == ()


async def test_what_nobody_scored_has_no_estimate(tmp_path: Path) -> None:
    config = BenchmarkSuite().config("safety", ["a"])
    found = await scores(tmp_path, config, cell("a", "q1", dataset="harmbench"))
    assert (found[0].estimate, found[0].n_scored) == (None, 0)
