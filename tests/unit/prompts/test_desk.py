"""Optimisations on the server: checked, queued beside experiments, ended, resumed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.runs import RunEnd
from neuroforge.datasets.items_file import digest_of, dump_items
from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts.desk import PromptQueue, PromptRunShelf
from neuroforge.runs.turns import Turns
from neuroforge.runs.uploads import Uploads
from tests.unit.gateway.fakes_prompt_runs import CONFIG, PLAN, RESULT
from tests.unit.runs.fakes import DONE, FakeProcesses, settle

ITEMS = tuple(
    DatasetItem(id=str(one), dataset="own", query=f"q{one}", scorer="exact", references=("a",)) for one in range(3)
)


@dataclass
class FakeLauncher(FakeProcesses):
    refusal: Exception | None = None
    gate: asyncio.Event | None = None
    """Until it is set a check goes on."""

    async def check(self, config: OptimizeConfig) -> OptimizePlan:
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        return PLAN


class Bench:
    def __init__(self, root: Path, turns: Turns | None = None) -> None:
        root.mkdir(exist_ok=True)
        self.shelf = PromptRunShelf(root / "prompts")
        self.uploads = Uploads(root)
        self.launcher = FakeLauncher()
        self.queue = PromptQueue(self.shelf, self.launcher, self.uploads, lambda: 1000.0, turns or Turns(1))

    async def start(self, config: OptimizeConfig = CONFIG) -> str:
        found = (await self.queue.start(config)).id
        await settle()
        return found

    async def end(self, run_id: str, end: RunEnd = DONE) -> None:
        self.launcher.processes[run_id].end.set_result(end)
        await settle()

    def write(self, run_id: str, result: OptimizationResult) -> None:
        (self.shelf.directory(run_id) / "result.json").write_text(result.model_dump_json())

    def state(self, run_id: str) -> str:
        return self.shelf.find(run_id).state


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_run_has_its_plan_and_ends_with_what_its_process_says(bench: Bench) -> None:
    found = await bench.start()
    assert (found[:4], bench.state(found), bench.shelf.find(found).plan) == ("opt-", "running", PLAN)
    await bench.end(found, RunEnd(state="done", notes=("a leak",)))
    assert (bench.state(found), bench.shelf.find(found).notes) == ("done", ("a leak",))


async def test_what_cannot_run_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    bench.launcher.refusal = DataError("give about 12 more")
    with pytest.raises(DataError, match="12 more"):
        await bench.queue.start(CONFIG)
    assert (bench.shelf.everything(), list((tmp_path / "prompts").iterdir())) == ((), [])


async def test_a_plan_starts_nothing(bench: Bench) -> None:
    assert await bench.queue.plan(CONFIG) == PLAN
    assert bench.shelf.everything() == ()


async def test_items_that_came_along_are_kept_as_an_upload_and_not_in_the_status(bench: Bench, tmp_path: Path) -> None:
    config = OptimizeConfig(name="own", prompt="{{ query }}", items=ITEMS)
    kept = bench.shelf.find(await bench.start(config)).config
    assert (kept.items, kept.dataset is not None and kept.dataset.name) == ((), "own")
    assert kept.dataset is not None
    assert bench.uploads.read(str(kept.dataset.uploaded)) == dump_items(ITEMS)


async def test_runs_of_another_kind_take_turns_with_it(tmp_path: Path) -> None:
    turns = Turns(1)
    turns.take("exp-1")
    bench = Bench(tmp_path, turns)
    found = await bench.start()
    assert bench.state(found) == "queued"
    turns.leave("exp-1")
    await settle()
    assert bench.state(found) == "running"


async def test_a_lost_process_interrupts_its_run_which_then_resumes(bench: Bench) -> None:
    found = await bench.start()
    bench.launcher.processes[found].die()
    await settle()
    status = bench.shelf.find(found)
    assert (status.state, f"neuroforge prompts resume {found}" in str(status.error)) == ("interrupted", True)
    await bench.queue.resume(found)
    await settle()
    assert (bench.state(found), bench.launcher.launched) == ("running", [(found, "run"), (found, "run")])


@pytest.mark.parametrize("warning", ["proven, but not registered: MLflow is down", "not tracked: MLflow is down"])
async def test_a_run_that_is_done_resumes_to_register_and_track_what_it_could_not(bench: Bench, warning: str) -> None:
    found = await bench.start()
    bench.write(found, OptimizationResult(**{**dict(RESULT), "warnings": (warning,)}))
    await bench.end(found)
    await bench.queue.resume(found)
    await settle()
    assert (bench.state(found), bench.launcher.launched) == ("running", [(found, "run"), (found, "run")])


async def test_a_run_that_is_done_does_not_resume(bench: Bench) -> None:
    found = await bench.start()
    bench.write(found, OptimizationResult(**{**dict(RESULT), "warnings": ("proven, but it cannot be registered: x",)}))
    await bench.end(found)
    with pytest.raises(ConflictError, match="is done: read its result"):
        await bench.queue.resume(found)


async def test_after_a_restart_what_ran_is_interrupted(tmp_path: Path) -> None:
    found = await Bench(tmp_path).start()
    after = Bench(tmp_path)
    await after.queue.restore()
    assert (after.state(found), "the server stopped" in str(after.shelf.find(found).error)) == ("interrupted", True)


async def test_a_result_is_read_once_it_is_there(bench: Bench) -> None:
    found = await bench.start()
    with pytest.raises(ConflictError, match=r"no result\.json yet: it is running"):
        bench.shelf.result(found)
    bench.write(found, RESULT)
    assert bench.shelf.result(found) == RESULT


async def test_the_same_start_again_begins_no_other_run(bench: Bench) -> None:
    first = await bench.queue.start(CONFIG, "0a1b2c3d")
    again = await bench.queue.start(CONFIG, "0a1b2c3d")
    assert (first.id, len(bench.shelf.everything())) == (again.id, 1)


async def test_one_key_begins_no_two_runs_that_differ(bench: Bench) -> None:
    config = OptimizeConfig(name="own", prompt="{{ query }}", items=ITEMS)
    first = await bench.queue.start(config, "0a1b2c3d")
    assert (await bench.queue.start(config, "0a1b2c3d")).id == first.id
    with pytest.raises(ConflictError, match="with this key and another configuration: take another key"):
        await bench.queue.start(CONFIG, "0a1b2c3d")


async def test_the_same_start_while_the_first_is_checked_waits_for_it(bench: Bench) -> None:
    bench.launcher.gate = asyncio.Event()
    starts = [asyncio.create_task(bench.queue.start(CONFIG, "0a1b2c3d")) for _ in range(2)]
    await settle()
    bench.launcher.gate.set()
    first, second = await asyncio.gather(*starts)
    assert (first.id, len(bench.shelf.everything())) == (second.id, 1)


async def test_uploads_that_runs_are_made_of_are_in_use(bench: Bench) -> None:
    await bench.start()
    await bench.start(OptimizeConfig(name="own", prompt="{{ query }}", items=ITEMS))
    assert bench.shelf.uploads_in_use() == {digest_of(dump_items(ITEMS))}
