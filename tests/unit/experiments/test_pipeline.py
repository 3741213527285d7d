"""One experiment, from configuration to report, on a fleet that is not there; rescored, labelled, published."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, JudgeReport
from neuroforge.contracts.experiment_desk import HumanLabel, LabelSheet, TrackedRun
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import Budget, CellScore
from neuroforge.contracts.scores import Score
from neuroforge.errors import ConflictError, DiskFull, EngineUnavailable, NotFound, RequestError, StorageError
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.labels import export_labels, import_labels
from neuroforge.experiments.pipeline import ExperimentationPlatform
from neuroforge.experiments.publish import Publisher
from neuroforge.experiments.report import ReportGenerator
from neuroforge.experiments.rescore import drop_scores
from neuroforge.experiments.run import ExperimentRunner
from neuroforge.experiments.scores import NAME, ScoreIndex, ScoreLog
from neuroforge.storage.objects import DirectoryObjects
from tests.unit.experiments.run_fakes import Bench, FakeHosted, config, failing, items, status

JUDGED = JudgeReport(judge_model="j", n_judged=4, is_trusted=True, note="agrees with people")


@dataclass
class Steps:
    """Judge and suites that note when they were asked."""

    told: list[str] = field(default_factory=list)
    n_open: int = 0
    """Replies that the judge leaves over."""

    async def grade(self, results: MatrixResult) -> JudgeReport | None:
        self.told.append("judge")
        return JudgeReport(**{**dict(JUDGED), "n_open": self.n_open})

    async def report(self, results: MatrixResult) -> JudgeReport | None:
        self.told.append("what the judge said")
        return JudgeReport(**{**dict(JUDGED), "n_open": self.n_open})

    async def run_benchmarks(self, results: MatrixResult) -> tuple[BenchmarkScore, ...]:
        self.told.append("benchmarks")
        return ()


@dataclass
class FakeTracker:
    """Keeps what it is told, or fails."""

    error: Exception | None = None
    runs: list[TrackedRun] = field(default_factory=list)

    def track(self, run: TrackedRun) -> str:
        if self.error is not None:
            raise self.error
        self.runs.append(run)
        return "tracker/1"


class FullDisk:
    """An object store without room."""

    def put(self, key: str, path: Path) -> str:
        raise DiskFull(f"no space left for object {key!r}")

    def get(self, key: str, path: Path) -> None:
        raise NotFound(key)

    def list(self, prefix: str) -> tuple[str, ...]:
        return ()


class Study:
    """Two models of which `b` is wrong on every second question."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root, hosted=FakeHosted(status("a"), status("b")))
        self.bench.caller.behave = lambda request: (
            "no" if request.cell.model_id == "b" and request.cell.item_id in {"q0", "q2", "q4"} else "yes"
        )
        self.steps = Steps()
        self.runner: ExperimentRunner = self.bench.runner()
        self.directory = self.runner.directory
        self.platform = ExperimentationPlatform(
            self.runner, self.steps, self.steps, ResultAnalyzer(lambda: 9.0), ReportGenerator()
        )


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


async def test_the_steps_are_taken_in_the_owners_order(study: Study) -> None:
    report = await study.platform.run_comprehensive_experiment(config("a", "b"), items(6))
    assert study.steps.told == ["judge", "benchmarks"]
    analysis = Analysis.model_validate_json(Path(report.analysis_path).read_bytes())
    assert (analysis.judge, analysis.n_items, analysis.summary) == (JUDGED, 6, report.summary)
    assert Path(report.html_path).read_text().startswith("<!")
    assert study.bench.caller.n_calls == 12


async def test_a_platform_without_a_judge_has_no_judge_in_its_analysis(study: Study) -> None:
    plain = ExperimentationPlatform(study.runner, None, study.steps, ResultAnalyzer(), ReportGenerator())
    finished = await plain.finish(await plain.run_experiment(config("a", "b"), items(6)))
    assert (finished.analysis.judge, study.steps.told) == (None, ["benchmarks"])


async def test_a_rescore_asks_no_model_and_scores_every_reply_anew(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    study.runner.close()
    runner = study.bench.runner(scorer=lambda _item, _reply: Score(value=0.25))
    platform = ExperimentationPlatform(runner, None, study.steps, ResultAnalyzer(), ReportGenerator())
    result = await platform.rescore()
    assert (study.bench.caller.n_calls, result.state, result.plan.config.use_cache) == (12, "done", True)
    assert {mean.mean for mean in result.progress.means.values()} == {0.25}


async def test_a_rescore_does_not_ask_the_judge(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    finished = await study.platform.finish(await study.platform.rescore(), may_ask_judge=False)
    assert (study.steps.told, finished.results.state) == (["what the judge said", "benchmarks"], "done")


@pytest.mark.parametrize("may_ask", [True, False])
async def test_replies_that_are_not_judged_leave_a_run_that_can_go_on(
    study: Study, tmp_path: Path, may_ask: bool
) -> None:
    study.steps.n_open = 2
    results = await study.platform.run_experiment(config("a", "b"), items(6))
    finished = await study.platform.finish(results, may_ask_judge=may_ask)
    end = await Publisher(None, DirectoryObjects(tmp_path / "store")).publish(finished)
    assert (results.state, end.state) == ("done", "interrupted")
    assert str(end.error).startswith("2 replies are not judged; go on with: neuroforge experiment resume ")


async def test_a_rescore_of_a_stopped_run_leaves_its_open_cells_open(study: Study) -> None:
    stopped = await study.platform.run_experiment(config("a", "b", budget=Budget(max_calls=5)), items(6))
    result = await study.platform.rescore()
    assert (stopped.state, result.state, study.bench.caller.n_calls) == ("interrupted", "interrupted", 5)


async def test_a_rescore_leaves_a_finished_run_done_with_its_errors(study: Study) -> None:
    study.bench.caller.behave = failing(EngineUnavailable("gone"), "b")
    first = await study.platform.run_experiment(config("a", "b"), items(3))
    result = await study.platform.rescore()
    assert (first.state, result.state) == ("done", "done")
    assert (result.progress.n_done, result.progress.n_errors) == (6, 3)


async def test_a_rescore_touches_no_score_while_another_process_runs_the_experiment(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    before = (study.directory / NAME).read_bytes()
    other = ExperimentationPlatform(study.bench.runner(), None, study.steps, ResultAnalyzer(), ReportGenerator())
    with pytest.raises(ConflictError, match="another process runs this experiment"):
        await other.rescore()
    assert (study.directory / NAME).read_bytes() == before


async def test_scores_are_not_dropped_while_labels_are_imported(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    importing = ScoreLog(study.directory)
    with pytest.raises(ConflictError, match=r"scores\.jsonl: another process is writing it"):
        drop_scores(study.directory, timeout_s=0.0)
    importing.close()
    assert drop_scores(study.directory, timeout_s=0.0) == 12


async def test_a_rescore_keeps_what_people_said(study: Study) -> None:
    result = await study.platform.run_experiment(config("a", "b"), items(6))
    task = export_labels(study.directory, 1)[0]
    import_labels(study.directory, LabelSheet(labels=(HumanLabel(cell_id=task.cell_id, value=0.5),)), lambda: 5.0)
    await study.platform.rescore()
    kept = ScoreIndex(study.directory).read([(task.cell_id, ("human",))])[0]
    assert (result.state, kept) == (
        "done",
        CellScore(cell_id=task.cell_id, scorer="human", score=Score(value=0.5), at_s=5.0),
    )


async def test_nothing_can_be_rescored_before_it_was_asked(study: Study) -> None:
    with pytest.raises(ConflictError, match="nothing was asked yet"):
        await study.platform.rescore()


async def test_labels_hide_the_model_and_put_ungraded_replies_first(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    first = export_labels(study.directory, 12)
    assert export_labels(study.directory, 12) == first
    assert {one.reply for one in first} == {"yes", "no"}
    assert not {"variant_id", "model_id"} & set(type(first[0]).model_fields)
    sheet = LabelSheet(labels=(HumanLabel(cell_id=first[0].cell_id, value=1.0),))
    assert import_labels(study.directory, sheet).n_cells == 1
    again = export_labels(study.directory, 12)
    assert (again[-1].cell_id, again[-1].value) == (first[0].cell_id, 1.0)


async def test_a_label_of_another_experiment_is_refused_and_none_is_kept(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    known = export_labels(study.directory, 1)[0].cell_id
    labels = (HumanLabel(cell_id=known, value=1.0), HumanLabel(cell_id="other", value=1.0))
    with pytest.raises(RequestError, match=r"labels\[1\]"):
        import_labels(study.directory, LabelSheet(labels=labels))
    assert export_labels(study.directory, 1)[0].value is None


async def test_labels_wait_while_the_experiment_runs(study: Study) -> None:
    await study.platform.run_experiment(config("a", "b"), items(6))
    running = ScoreLog(study.directory)
    sheet = LabelSheet(labels=(HumanLabel(cell_id=export_labels(study.directory, 1)[0].cell_id, value=1.0),))
    with pytest.raises(ConflictError):
        import_labels(study.directory, sheet)
    running.close()


async def test_aggregates_with_intervals_are_tracked_and_files_are_kept(study: Study, tmp_path: Path) -> None:
    tracker, store = FakeTracker(), DirectoryObjects(tmp_path / "store")
    results = await study.platform.run_experiment(config("a", "b"), items(6))
    end = await Publisher(tracker, store).publish(await study.platform.finish(results))
    (run,) = tracker.runs
    assert (end.state, end.notes, end.tracked_at) == ("done", (), "tracker/1")
    assert (run.experiment, run.parameters["models"], run.metrics["quality/b"]) == ("test", "a, b", 0.5)
    assert run.metrics["quality/b.low"] < 0.5 < run.metrics["quality/b.high"]
    assert [Path(one).name for one in run.artifacts] == ["report.html", "report.md", "analysis.json"]
    assert [one.rpartition("/")[2] for one in store.list("experiments/")] == [
        "analysis.json", "cells.parquet", "report.html", "report.md",
    ]  # fmt: skip


async def test_what_fails_after_the_report_is_a_note(study: Study) -> None:
    results = await study.platform.run_experiment(config("a", "b"), items(6))
    tracker = FakeTracker(StorageError("MLflow at x did not take the run"))
    end = await Publisher(tracker, FullDisk()).publish(await study.platform.finish(results))
    assert (end.state, end.tracked_at) == ("done", None)
    assert [one.partition(":")[0] for one in end.notes] == ["result files", "tracking"]


async def test_tracking_can_be_switched_off_and_open_cells_are_told(study: Study, tmp_path: Path) -> None:
    results = await study.platform.run_experiment(config("a", "b", budget=Budget(max_calls=8)), items(6))
    end = await Publisher(None, DirectoryObjects(tmp_path / "store")).publish(await study.platform.finish(results))
    assert (end.state, end.tracked_at) == ("interrupted", None)
    assert str(end.error).startswith("4 cells are open (max_calls); go on with: neuroforge experiment resume ")
