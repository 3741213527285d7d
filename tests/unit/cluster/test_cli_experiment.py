import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.cli.experiment_progress import progress_text, seconds_text
from cluster.cli.label_files import read_labels, write_tasks
from neuroforge.contracts.analysis import Analysis, GateResult, MetricSummary
from neuroforge.contracts.experiment_desk import HumanLabel, LabelTask
from neuroforge.contracts.experiments import CostEstimate, ExperimentStatus, Gate, Progress
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.gateway.fakes_experiments import ANALYSIS, COST, status
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/admin/v1/experiments"
MEAN = Estimate(mean=0.62, low=0.5, high=0.73, n=20)
YAML = """
name: study
models: [small, big]
datasets: [mmlu:20]
"""
SUMMARY = MetricSummary(
    variant_id="small", metric="quality", estimate=MEAN, method="wilson", n_scored=20, rank_low=1, rank_high=2
)


def analysis(**more: Any) -> Analysis:
    return Analysis(**{**dict(ANALYSIS), "summaries": (SUMMARY,), **more})


def gate(holds: bool) -> GateResult:
    asked = Gate(better="small", reference="big", margin=0.02)
    return GateResult(gate=asked, holds=holds, difference=MEAN, p_value=0.5, sentence="small >= big - 0.02: +0.62")


def body(answer: Any) -> Answer:
    return Answer(body=answer.model_dump_json().encode())


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("neuroforge.client.runs.POLL_S", 0.0)
    with loopback() as state:
        state.answer("POST", f"{PATH}/estimate", body(COST))
        state.answer("POST", PATH, body(status("exp-1", "queued")))
        state.answer("GET", f"{PATH}/exp-1", body(status()))
        state.answer("GET", f"{PATH}/exp-1/analysis", body(analysis()))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp.yaml").write_text(YAML)
    return Cli(tmp_path / "home", gateway.url)


def sent(gateway: Loopback) -> list[str]:
    return [f"{one.method} {one.path.removeprefix(PATH)}" for one in gateway.received]


def test_a_run_shows_the_estimate_and_what_was_found(cli: Cli, gateway: Loopback) -> None:
    result = cli("experiment", "run", "exp.yaml", "--yes")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("40 cells: 36 calls, 4 from the cache;")
    assert "small is better than big by 10 points." in lines
    assert cells(next(one for one in lines if one.startswith("small  "))) == [
        "small", "quality", "0.620 [0.500, 0.730]", "1-2", "20", "0", "0"
    ]  # fmt: skip
    assert sent(gateway) == ["POST /estimate", "POST ", "GET /exp-1", "GET /exp-1", "GET /exp-1/analysis"]


def test_what_the_estimate_leaves_out_is_printed_below_it(cli: Cli, gateway: Loopback) -> None:
    told = CostEstimate(**{**dict(COST), "notes": ("at most 6 of the calls are to the judge big",)})
    gateway.answer("POST", f"{PATH}/estimate", body(told))
    lines = cli("experiment", "run", "exp.yaml", "--dry-run").stdout.splitlines()
    assert lines[1:] == ["note: at most 6 of the calls are to the judge big"]


def test_a_dry_run_starts_nothing(cli: Cli, gateway: Loopback) -> None:
    assert cli.json("experiment", "run", "exp.yaml", "--dry-run")["estimate"]["n_calls"] == 36
    assert sent(gateway) == ["POST /estimate"]


def test_without_yes_it_asks_and_no_starts_nothing(cli: Cli, gateway: Loopback) -> None:
    assert cli("experiment", "run", "exp.yaml", piped="n\n").exit_code == 1
    assert sent(gateway) == ["POST /estimate"]


def test_detached_it_returns_when_queued(cli: Cli, gateway: Loopback) -> None:
    result = cli("experiment", "run", "exp.yaml", "--yes", "--detach")
    assert "exp-1: queued; see: neuroforge experiment show exp-1" in result.stdout
    assert sent(gateway) == ["POST /estimate", "POST "]


@pytest.mark.parametrize(("holds", "exit_code"), [(True, 0), (False, 4)])
def test_a_gates_result_is_the_exit_status(cli: Cli, gateway: Loopback, holds: bool, exit_code: int) -> None:
    gateway.answer("GET", f"{PATH}/exp-1/analysis", body(analysis(gates=(gate(holds),))))
    result = cli("experiment", "run", "exp.yaml", "--yes", "--gate", "small >= big - 0.02")
    assert (result.exit_code, "small >= big - 0.02: +0.62" in result.stdout) == (exit_code, True)
    config = gateway.received[0].json
    assert config["gates"] == [{"better": "small", "reference": "big", "margin": 0.02}]


def test_a_gate_that_cannot_be_read_is_refused_before_anything(cli: Cli, gateway: Loopback) -> None:
    result = cli("experiment", "run", "exp.yaml", "--gate", "small > big")
    assert (result.exit_code, "model_b >= model_a - 0.02" in result.stderr, sent(gateway)) == (1, True, [])


def test_a_run_whose_budget_ended_exits_with_3(cli: Cli, gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="interrupted")))
    assert cli("experiment", "run", "exp.yaml", "--yes").exit_code == 3


def test_a_failed_run_says_why(cli: Cli, gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="failed", error="no space left")))
    result = cli("experiment", "run", "exp.yaml", "--yes")
    assert (result.exit_code, "no space left; go on with" in result.stderr) == (1, True)


def test_ctrl_c_stops_it_and_says_how_to_go_on(cli: Cli, gateway: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="running")), body(status(state="cancelled")))
    gateway.answer("POST", f"{PATH}/exp-1/cancel", body(status(state="running")))

    def press(_self: object, _status: ExperimentStatus) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cluster.cli.experiment_progress.ProgressLine.show", press)
    result = cli("experiment", "run", "exp.yaml", "--yes")
    assert (result.exit_code, "go on with: neuroforge experiment resume exp-1" in result.stderr) == (3, True)
    assert sent(gateway)[-2:] == ["POST /exp-1/cancel", "GET /exp-1"]


@pytest.mark.parametrize("action", ["resume", "rescore", "rerun"])
def test_what_goes_on_is_followed_to_its_end(cli: Cli, gateway: Loopback, action: str) -> None:
    gateway.answer("POST", f"{PATH}/exp-1/{action}", body(status(state="queued")))
    assert cli.json("experiment", action, "exp-1")["analysis"]["experiment_id"] == "exp-1"
    assert sent(gateway)[0] == f"POST /exp-1/{action}"


def test_cancel_waits_for_the_end(cli: Cli, gateway: Loopback) -> None:
    gateway.answer("POST", f"{PATH}/exp-1/cancel", body(status(state="running")))
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="running")), body(status(state="cancelled")))
    assert cli.json("experiment", "cancel", "exp-1")["state"] == "cancelled"


def test_the_list_shows_how_far_each_is(cli: Cli, gateway: Loopback) -> None:
    running = status("exp-2", "running", progress=Progress(n_cells=40, n_done=10))
    listed = b'{"data": [%s, %s]}' % (running.model_dump_json().encode(), status().model_dump_json().encode())
    gateway.answer("GET", PATH, Answer(body=listed))
    lines = cli("experiment", "list").stdout.splitlines()
    assert [cells(one)[:4] for one in lines[1:]] == [
        ["exp-2", "study", "running", "10/40"],
        ["exp-1", "study", "done", "-"],
    ]


def test_show_of_one_that_runs_has_no_analysis_yet(cli: Cli, gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="running", notes=("MLflow was down",))))
    gateway.answer_json("GET", f"{PATH}/exp-1/analysis", envelope("conflict", "it is running"), 409)
    assert "note: MLflow was down" in cli("experiment", "show", "exp-1").stdout
    assert cli.json("experiment", "show", "exp-1")["analysis"] is None


def test_a_report_is_written_in_the_form_of_its_name(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    gateway.answer("GET", f"{PATH}/exp-1/report", Answer(body=b"# Study"))
    assert cli("experiment", "report", "exp-1").stdout == "# Study\n"
    cli("experiment", "report", "exp-1", "--out", str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == "# Study"
    assert [one.path.rpartition("=")[2] for one in gateway.received] == ["md", "html"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_cells_are_exported_in_three_forms(cli: Cli, gateway: Loopback, tmp_path: Path, suffix: str) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"cell_id": ["a", "b"], "score": [1.0, None]}), content)
    gateway.answer("GET", f"{PATH}/exp-1/cells", Answer(body=content.getvalue()))
    out = tmp_path / f"cells.{suffix}"
    assert cli.json("experiment", "export", "exp-1", "--out", str(out))["n_rows"] == 2
    if suffix == "jsonl":
        assert [json.loads(one) for one in out.read_text().splitlines()][1] == {"cell_id": "b", "score": None}
    assert out.stat().st_size > 0


def test_outcomes_for_the_router_are_exported(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    gateway.answer("GET", f"{PATH}/exp-1/outcomes", Answer(body=b"PAR1"))
    result = cli("experiment", "export", "exp-1", "--outcomes", "--out", str(tmp_path / "o.parquet"))
    assert (result.exit_code, (tmp_path / "o.parquet").read_bytes()) == (0, b"PAR1")
    assert cli("experiment", "export", "exp-1", "--outcomes", "--out", "o.csv").exit_code == 1


def test_another_form_is_refused_before_anything_is_fetched(cli: Cli, gateway: Loopback) -> None:
    assert cli("experiment", "export", "exp-1", "--out", "cells.xlsx").exit_code == 1
    assert sent(gateway) == []


def test_two_experiments_are_compared(cli: Cli, gateway: Loopback) -> None:
    found = {"a": "exp-1", "b": "exp-2", "n_common_items": 20, "comparisons": [], "summary": ["nothing changed"]}
    gateway.answer_json("POST", f"{PATH}/compare", found)
    assert cli("experiment", "compare", "exp-1", "exp-2").stdout.splitlines() == [
        "nothing changed",
        "nothing in common",
    ]
    assert gateway.received[0].json == {"a": "exp-1", "b": "exp-2"}


def test_labels_go_to_a_file_and_come_back_graded(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    tasks = [{"cell_id": f"c{number}", "item_id": "i", "query": "2+2?", "reply": "4"} for number in (1, 2)]
    gateway.answer_json("GET", f"{PATH}/exp-1/labels", {"data": tasks})
    gateway.answer_json("POST", f"{PATH}/exp-1/labels", {"n_labels": 1, "n_cells": 1})
    path = tmp_path / "labels.jsonl"
    assert cli.json("experiment", "labels", "export", "exp-1", "--out", str(path))["n_tasks"] == 2
    rows = [json.loads(one) for one in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps({**row, "value": value}) for row, value in zip(rows, (1, None), strict=True)))
    assert cli.json("experiment", "labels", "import", "exp-1", str(path)) == {"n_labels": 1, "n_cells": 1}
    assert gateway.received[1].json == {"labels": [{"cell_id": "c1", "value": 1.0, "reason": None}]}


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"cell_id": "c1", "value": 7}', "line 1"), ('{"cell_id": "c1"}', "no line has a `value`"), ("{", "line 1")],
)
def test_labels_that_cannot_be_used_are_named(cli: Cli, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "labels.jsonl").write_text(text)
    result = cli("experiment", "labels", "import", "exp-1", str(tmp_path / "labels.jsonl"))
    assert (result.exit_code, words in result.stderr) == (1, True)


def test_labels_may_be_a_spreadsheet(tmp_path: Path) -> None:
    task = LabelTask(cell_id="c1", item_id="i", query='Say "hä",\nplease', references=("hä",), reply="hä; ok")
    path = tmp_path / "labels.csv"
    write_tasks(path, [task, LabelTask(cell_id="c2", item_id="i", query="q", reply="r")])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["query"], rows[0]["references"], rows[0]["reply"]) == ('Say "hä",\nplease', '["hä"]', "hä; ok")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**rows[0], "value": "0.5", "reason": "so so"}, rows[1]])
    assert read_labels(path) == [HumanLabel(cell_id="c1", value=0.5, reason="so so")]


def test_a_grade_in_a_spreadsheet_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("cell_id,value\nc1,1\nc2,good\n")
    with pytest.raises(DataError, match="line 3"):
        read_labels(path)


def test_unusable_rows_of_a_file_are_told(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"query": "2+2?", "reference": "4", "scorer": "exact"}\n{"query": 1}\n')
    path = tmp_path / "exp.yaml"
    path.write_text("name: s\nmodels: [a]\ndatasets: own.jsonl\nskip_bad_rows: true\n")
    result = cli("experiment", "run", str(path), "--dry-run")
    assert "left out: own.jsonl: row 2, column query" in result.stderr


def test_progress_is_told_with_rate_time_left_and_means() -> None:
    progress = Progress(
        n_cells=100, n_done=40, n_errors=2, n_cached=10, cells_per_s=3.125, eta_s=92.0, means={"a": MEAN}
    )
    assert progress_text(status(state="running", progress=progress)) == (
        "running 40/100 (2 errors, 10 cached), 3.12 cells/s, 1m32s left; a 0.62 [0.50, 0.73]"
    )
    assert [seconds_text(one) for one in (5.4, 3600, 7322)] == ["5s", "1h00m", "2h02m"]
