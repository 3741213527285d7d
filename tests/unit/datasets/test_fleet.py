import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.models import ModelState, Price
from neuroforge.contracts.scores import Score
from neuroforge.datasets.fleet import LabelPlan, LabelResult, choose_models, label_fleet
from neuroforge.datasets.outcomes import summarise, to_outcomes, write_outcomes
from neuroforge.datasets.pipeline import Source
from neuroforge.datasets.report import Reporter, line, table
from neuroforge.errors import ContextLengthExceeded, DataError, ModelNotFound, OutOfMemory, SandboxUnavailable
from neuroforge.scoring.sandbox import Sandbox
from tests.fakes import FakeClock
from tests.unit.datasets.fakes import FakeAssets, FakeFleet, answer, failure, item, status

PRICES = {"small": Price(input_usd_per_million=1.0, output_usd_per_million=2.0), "large": Price()}


def by_key(*answers: object) -> dict[tuple[str, str, str], object]:
    return {(one.dataset, one.item_id, one.model_id): one for one in answers}  # type: ignore[attr-defined]


def test_an_outcome_row_holds_score_cost_and_latency_by_model() -> None:
    answers = by_key(answer(), answer(model_id="large", score=Score(value=0.0), latency_s=2.0))
    assert to_outcomes([item()], answers, PRICES) == [  # type: ignore[arg-type]
        {
            "query": "Question 1?",
            "scores": {"small": 1.0, "large": 0.0},
            "costs": {"small": 14e-6, "large": 0.0},
            "task": "knowledge",
            "latencies": {"small": 0.5, "large": 2.0},
            "dataset": "quiz",
            "item_id": "q1",
        }
    ]


def test_a_failed_or_unscored_answer_is_absent_and_not_0() -> None:
    answers = by_key(failure(), answer(model_id="large", score=Score(reason="no sandbox")))
    assert to_outcomes([item()], answers, PRICES) == []  # type: ignore[arg-type]


def test_one_missing_model_leaves_the_others() -> None:
    rows = to_outcomes([item()], by_key(failure(), answer(model_id="large")), PRICES)  # type: ignore[arg-type]
    assert rows[0]["scores"] == {"large": 1.0}


@pytest.mark.parametrize("name", ["o.parquet", "o.jsonl"])
def test_both_formats_hold_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = to_outcomes([item()], by_key(answer(), answer(model_id="large")), PRICES)  # type: ignore[arg-type]
    path = tmp_path / "deep" / name
    write_outcomes(rows, path)
    read = pq.read_table(path).to_pylist() if name.endswith("parquet") else [json.loads(path.read_text())]
    assert read == rows


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must end in"):
        write_outcomes([{"query": "x"}], tmp_path / "o.csv")


def test_means_are_by_model_and_task_and_over_all() -> None:
    items = [item(1), item(2, task="math")]
    answers = by_key(answer(), answer(item_id="q2", score=Score(value=0.0), latency_s=1.5))
    found = [(one.task, one.n, one.mean_score, one.mean_latency_s) for one in summarise(items, answers, PRICES)]  # type: ignore[arg-type]
    assert found == [("knowledge", 1, 1.0, 0.5), ("math", 1, 0.0, 1.5), ("all", 2, 0.5, 1.0)]


def quiz(directory: Path, *, n: int = 4) -> Path:
    path = directory / "quiz.jsonl"
    rows = [{"query": f"Question {number}?", "reference": "yes", "scorer": "normalized"} for number in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def label(directory: Path, fleet: FakeFleet, **changes: object) -> LabelResult:
    plan = LabelPlan(**{"sources": (Source(str(quiz(directory))),), "out": directory / "o.jsonl", **changes})  # type: ignore[arg-type]
    return label_fleet(plan, fleet, FakeAssets(directory), Sandbox())


def test_a_file_of_questions_becomes_a_file_of_outcomes(tmp_path: Path) -> None:
    fleet = FakeFleet(lambda model, _query: "yes" if model == "large" else "no", [status("small"), status("large")])
    result = label(tmp_path, fleet)
    rows = [json.loads(row) for row in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert (result.n_rows, result.progress.n_left) == (4, 0)
    assert [row["scores"] for row in rows] == [{"small": 0.0, "large": 1.0}] * 4


def test_failures_are_counted_by_kind(tmp_path: Path) -> None:
    def reply(_model: str, query: str) -> str:
        if query == "Question 0?":
            raise ContextLengthExceeded("too long")
        return "yes"

    result = label(tmp_path, FakeFleet(reply, [status()]))
    assert (result.n_rows, result.unscored, result.progress.n_left) == (3, {"context_length_exceeded": 1}, 1)


def test_kept_replies_are_judged_again_without_a_call(tmp_path: Path) -> None:
    fleet = FakeFleet(lambda _model, _query: "yes", [status()])
    label(tmp_path, fleet)
    journal = tmp_path / "o.jsonl.answers" / "answers.jsonl"
    journal.write_text(journal.read_text().replace('"value":1.0', '"value":0.0'))
    assert label(tmp_path, fleet).summaries[-1].mean_score == 0.0
    assert label(tmp_path, fleet, is_rescored=True).summaries[-1].mean_score == 1.0
    assert len(fleet.calls) == 4


def test_code_without_a_sandbox_is_refused_before_the_first_call(tmp_path: Path) -> None:
    class Closed(Sandbox):
        def check(self) -> bool:
            raise SandboxUnavailable("no namespaces here")

    (tmp_path / "code.jsonl").write_text('{"query": "Write f", "tests": "f()", "entry_point": "f"}\n')
    fleet = FakeFleet(lambda _model, _query: "yes", [status()])
    plan = LabelPlan((Source(str(tmp_path / "code.jsonl")),), tmp_path / "o.jsonl")
    with pytest.raises(SandboxUnavailable):
        label_fleet(plan, fleet, FakeAssets(tmp_path), Closed())
    assert fleet.calls == []


def test_a_source_that_stands_twice_is_refused(tmp_path: Path) -> None:
    source = Source(str(quiz(tmp_path)))
    with pytest.raises(DataError, match="twice"):
        label(tmp_path, FakeFleet(lambda _m, _q: "yes", [status()]), sources=(source, source))


def test_a_model_that_is_not_loaded_is_woken_before_it_is_timed(tmp_path: Path) -> None:
    fleet = FakeFleet(lambda _m, _q: "yes", [status(), status("cold", state=ModelState.UNLOADED)])
    label(tmp_path, fleet)
    assert fleet.calls[0] == ("cold", "Hi")
    assert len(fleet.calls) == 1 + 2 * 4


def test_a_model_that_does_not_load_leaves_the_others(tmp_path: Path) -> None:
    def reply(model: str, _query: str) -> str:
        if model == "cold":
            raise OutOfMemory("too large")
        return "yes"

    fleet = FakeFleet(reply, [status(), status("cold", state=ModelState.FAILED)])
    result = label(tmp_path, fleet)
    assert (result.n_rows, result.unscored) == (4, {"out_of_memory": 4})


def test_an_unknown_model_is_named_with_those_that_exist() -> None:
    with pytest.raises(ModelNotFound, match="does not host 'smal'; it hosts small"):
        choose_models([status()], ["smal"])


def test_without_a_wish_all_that_can_chat_are_asked() -> None:
    embedder, unloaded = status("e", capabilities=("embedding",)), status("u", capabilities=())
    assert [one.id for one in choose_models([status(), embedder, unloaded], [])] == ["small", "u"]


def test_no_model_that_can_chat_is_an_error() -> None:
    with pytest.raises(ModelNotFound, match="no model that can chat"):
        choose_models([], [])


def test_progress_is_told_now_and_then(tmp_path: Path) -> None:
    told: list[str] = []
    clock = FakeClock()
    reporter = Reporter(told.append, clock)
    result = label(tmp_path, FakeFleet(lambda _m, _q: "yes", [status()]))
    for seconds in (0.0, 1.0, 5.0):
        clock.advance(seconds)
        reporter(result.progress)
    assert len(told) == 2
    assert told[0].startswith("4/4 answers")
    assert told[0].endswith("mean score small 1.000")


def test_the_table_tells_what_is_missing(tmp_path: Path) -> None:
    def reply(_model: str, query: str) -> str:
        if query == "Question 0?":
            raise ContextLengthExceeded("too long")
        return "yes"

    result = label(tmp_path, FakeFleet(reply, [status()]))
    text = table(result)
    assert "not scored: 1 (context_length_exceeded)" in text
    assert "1 of 4 answers are missing" in text
    assert ", 1 failed" in line(result.progress)


@pytest.mark.parametrize("row", ['{"query": "A poem"}', '{"query": "q", "scorer": "embedding", "reference": "x"}'])
def test_what_only_a_judge_or_an_embedder_can_score_is_refused_before_the_first_call(tmp_path: Path, row: str) -> None:
    (tmp_path / "open.jsonl").write_text(row + "\n")
    fleet = FakeFleet(lambda _m, _q: "yes", [status()])
    with pytest.raises(DataError, match="cannot label a fleet"):
        label(tmp_path, fleet, sources=(Source(str(tmp_path / "open.jsonl")),))
    assert fleet.calls == []
