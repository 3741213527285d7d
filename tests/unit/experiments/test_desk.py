import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.experiment_desk import RerunRequest
from neuroforge.contracts.experiments import (
    CostEstimate,
    DatasetSource,
    ExperimentConfig,
    Progress,
)
from neuroforge.contracts.runs import RunEnd
from neuroforge.errors import ConflictError, DiskFull, NotFound, RequestError, StorageError
from neuroforge.experiments.desk import ExperimentQueue
from neuroforge.experiments.shelf import Shelf
from neuroforge.runs.shelf import PROGRESS_FILE
from neuroforge.runs.turns import Turns
from neuroforge.runs.uploads import UNUSED_S
from tests.unit.runs.fakes import DONE, FakeProcess, FakeProcesses, settle

CONFIG = ExperimentConfig(name="study", models=("a", "b"), datasets=(DatasetSource(name="mmlu", n=5),))
COST = CostEstimate(n_cells=10, n_cached=0, n_calls=10, n_prompt_tokens=1, n_completion_tokens_max=1, cost_usd_max=0)


@dataclass
class FakeLauncher(FakeProcesses):
    """As these, and checks what it is told to refuse."""

    refusal: Exception | None = None

    async def check(self, config: ExperimentConfig, directory: Path) -> CostEstimate:
        (directory / "plan.json").write_text("{}")
        if self.refusal is not None:
            raise self.refusal
        return COST


class Bench:
    """A desk over a directory; `settle` lets its tasks go as far as they can."""

    def __init__(self, root: Path, max_running: int = 1, **options: Any) -> None:
        self.shelf = Shelf(root)
        self.launcher = FakeLauncher()
        self.queue = ExperimentQueue(self.shelf, self.launcher, lambda: 1000.0, Turns(max_running), **options)

    async def start(self) -> str:
        found = (await self.queue.start(CONFIG)).id
        await settle()
        return found

    async def end(self, experiment_id: str, end: RunEnd = DONE) -> None:
        self.launcher.processes[experiment_id].end.set_result(end)
        await settle()

    def state(self, experiment_id: str) -> str:
        return self.shelf.find(experiment_id).state


@contextmanager
def full_disk() -> Iterator[None]:
    def refuse(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        yield


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_an_experiment_runs_in_a_process_that_ends_with_it(bench: Bench) -> None:
    found = await bench.start()
    assert (bench.state(found), bench.launcher.launched) == ("running", [(found, "run")])
    await bench.end(found, RunEnd(state="done", notes=("MLflow was down",), tracked_at="mlflow/1"))
    status = bench.shelf.find(found)
    assert (status.state, status.notes, status.tracked_at, status.ended_at_s) == (
        "done", ("MLflow was down",), "mlflow/1", 1000.0
    )  # fmt: skip
    assert bench.launcher.processes[found].is_closed


async def test_what_cannot_run_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    bench.launcher.refusal = RequestError("no such metric")
    with pytest.raises(RequestError, match="no such metric"):
        await bench.queue.start(CONFIG)
    assert bench.shelf.everything() == ()
    assert list(tmp_path.glob("exp-*")) == []


async def test_an_estimate_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    assert await bench.queue.estimate(CONFIG) == COST
    assert [one.name for one in tmp_path.iterdir()] == ["_items"]


async def test_a_second_one_waits_for_the_first(bench: Bench) -> None:
    first, second = await bench.start(), await bench.start()
    assert (bench.state(first), bench.state(second)) == ("running", "queued")
    await bench.end(first)
    assert (bench.state(first), bench.state(second)) == ("done", "running")


async def test_as_many_run_as_the_settings_allow(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_running=2)
    assert [bench.state(await bench.start()) for _ in range(3)] == ["running", "running", "queued"]


async def test_a_process_that_dies_leaves_an_interrupted_experiment_that_resumes(bench: Bench) -> None:
    found = await bench.start()
    bench.launcher.processes[found].die()
    await settle()
    status = bench.shelf.find(found)
    assert (status.state, "resume" in str(status.error)) == ("interrupted", True)
    await bench.queue.resume(found)
    await settle()
    assert (bench.state(found), len(bench.launcher.launched)) == ("running", 2)


async def test_cancelling_stops_the_process(bench: Bench) -> None:
    found = await bench.start()
    await bench.queue.cancel(found)
    await settle()
    assert bench.state(found) == "cancelled"


async def test_a_process_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cancel_grace_s=0.0)
    bench.launcher.is_deaf = True
    found = await bench.start()
    await bench.queue.cancel(found)
    await settle()
    assert (bench.state(found), bench.launcher.processes[found].is_closed) == ("cancelled", True)


async def test_a_queued_one_is_cancelled_without_a_process(bench: Bench) -> None:
    first, second = await bench.start(), await bench.start()
    assert (await bench.queue.cancel(second)).state == "cancelled"
    await bench.end(first)
    assert bench.launcher.launched == [(first, "run")]


async def test_what_has_ended_cannot_be_cancelled_and_what_runs_cannot_be_resumed(bench: Bench) -> None:
    found = await bench.start()
    with pytest.raises(ConflictError, match="running"):
        await bench.queue.resume(found)
    await bench.end(found)
    with pytest.raises(ConflictError, match="done"):
        await bench.queue.cancel(found)


@pytest.mark.parametrize(("n_errors", "is_open"), [(0, False), (2, True)])
async def test_a_done_one_resumes_only_where_cells_failed(bench: Bench, n_errors: int, is_open: bool) -> None:
    found = await bench.start()
    progress = Progress(n_cells=10, n_done=10, n_errors=n_errors)
    (bench.shelf.directory(found) / PROGRESS_FILE).write_text(progress.model_dump_json())
    await bench.end(found)
    if is_open:
        assert (await bench.queue.resume(found)).state in {"queued", "running"}
    else:
        with pytest.raises(ConflictError, match="every cell has an answer"):
            await bench.queue.resume(found)


async def test_an_end_that_cannot_be_written_is_known_and_the_next_one_starts(bench: Bench, tmp_path: Path) -> None:
    first, second = await bench.start(), await bench.start()
    shutil.rmtree(tmp_path / first)
    await bench.end(first)
    assert (bench.state(first), bench.state(second)) == ("done", "running")


async def test_what_cannot_be_queued_for_want_of_room_keeps_its_state_and_is_resumed_later(
    bench: Bench,
) -> None:
    found = await bench.start()
    bench.launcher.processes[found].die()
    await settle()
    with full_disk(), pytest.raises(DiskFull):
        await bench.queue.resume(found)
    assert bench.state(found) == "interrupted"
    await bench.queue.resume(found)
    await settle()
    assert (bench.state(found), len(bench.launcher.launched)) == ("running", 2)


async def test_a_start_for_which_there_is_no_room_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    with full_disk(), pytest.raises(DiskFull):
        await bench.queue.start(CONFIG)
    assert (bench.shelf.everything(), list(tmp_path.glob("exp-*"))) == ((), [])


async def test_a_process_that_raises_fails_its_experiment(bench: Bench) -> None:
    found = await bench.start()
    bench.launcher.processes[found].end.set_exception(StorageError("the experiment's process failed: KeyError"))
    await settle()
    assert (bench.state(found), bench.shelf.find(found).error) == (
        "failed",
        "the experiment's process failed: KeyError",
    )


async def test_rescoring_is_a_run_without_calls(bench: Bench) -> None:
    found = await bench.start()
    await bench.end(found)
    await bench.queue.rescore(found)
    await settle()
    assert bench.launcher.launched == [(found, "run"), (found, "rescore")]


async def test_a_rerun_is_another_experiment_that_asks_again(bench: Bench) -> None:
    first = await bench.start()
    again = await bench.queue.rerun(first, RerunRequest(name="again"))
    assert (again.rerun_of, again.config.name, again.config.use_cache) == (first, "again", False)
    assert again.config.datasets == CONFIG.datasets


async def test_after_a_restart_what_ran_is_interrupted_and_the_rest_is_known(tmp_path: Path) -> None:
    before = Bench(tmp_path)
    done, running, queued = await before.start(), "", ""
    await before.end(done)
    running, queued = await before.start(), await before.start()
    after = Bench(tmp_path)
    await after.queue.restore()
    assert [after.state(one) for one in (done, running, queued)] == ["done", "interrupted", "interrupted"]
    assert after.launcher.launched == []


async def test_a_desk_that_comes_back_watches_on_what_still_runs(tmp_path: Path) -> None:
    found = await Bench(tmp_path).start()
    after = Bench(tmp_path)
    process = after.launcher.alive[found] = FakeProcess()
    await after.queue.restore()
    assert after.state(found) == "running"
    process.end.set_result(DONE)
    await settle()
    assert after.state(found) == "done"


async def test_a_start_that_is_made_again_starts_no_other(bench: Bench) -> None:
    first = await bench.queue.start(CONFIG, "aaaaaaaa")
    await settle()
    again = await bench.queue.start(CONFIG, "aaaaaaaa")
    other = await bench.queue.start(CONFIG, "bbbbbbbb")
    assert (again.id, again.state, len(bench.launcher.launched)) == (first.id, "running", 1)
    assert other.id != first.id


async def test_a_start_that_a_dead_desk_had_queued_goes_on_under_the_same_id(tmp_path: Path) -> None:
    first = await Bench(tmp_path, max_running=0).queue.start(CONFIG, "aaaaaaaa")
    after = Bench(tmp_path)
    await after.queue.restore()
    again = await after.queue.start(CONFIG, "aaaaaaaa")
    await settle()
    assert (again.id, after.launcher.launched) == (first.id, [(first.id, "run")])
    assert [one.name for one in tmp_path.glob("exp-*")] == [first.id]


async def test_a_start_during_whose_check_the_desk_died_begins_anew(tmp_path: Path) -> None:
    abandoned = Shelf(tmp_path).new_directory(1.0, "aaaaaaaa")
    (abandoned / "plan.json").write_text("{}")
    started = await Bench(tmp_path).queue.start(CONFIG, "aaaaaaaa")
    assert [one.name for one in tmp_path.glob("exp-*")] == [started.id]


async def test_uploads_of_an_experiment_stay_and_others_go(bench: Bench, tmp_path: Path) -> None:
    uploads = tmp_path / "_items"
    for name in ("a" * 64, "b" * 64):
        (uploads / f"{name}.jsonl").write_text("{}")
    source = DatasetSource(name="mine", uploaded="a" * 64)
    await bench.queue.start(ExperimentConfig(**{**dict(CONFIG), "datasets": (source,)}))
    bench.shelf.drop_unused_uploads(time.time() + 2 * UNUSED_S)
    assert [one.stem for one in uploads.iterdir()] == ["a" * 64]


async def test_the_newest_is_listed_first_and_an_unreadable_one_hides_only_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = await bench.start()
    (tmp_path / "exp-broken").mkdir()
    (tmp_path / "exp-broken" / "status.json").write_text("{")
    assert [one.id for one in Shelf(tmp_path).everything()] == [found]
    with pytest.raises(NotFound, match="exp-broken"):
        Shelf(tmp_path).find("exp-broken")


async def test_a_result_that_is_not_there_yet_is_a_conflict_that_says_the_state(bench: Bench) -> None:
    found = await bench.start()
    with pytest.raises(ConflictError, match=r"no report\.html yet: it is running"):
        bench.shelf.file(found, "report.html")


@pytest.mark.parametrize("name", ["../x", "_items", "", "exp-1/../../x"])
def test_a_name_that_is_no_experiment_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        Shelf(tmp_path).directory(name)
