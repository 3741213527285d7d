"""Where a finished run goes."""

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompts import PromptEntry, PromptRelease
from neuroforge.errors import StorageError
from neuroforge.prompts.deliver import Outlets, read_result
from neuroforge.prompts.delivered import is_undelivered
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, REPORT
from neuroforge.prompts.program import program_id
from tests.unit.prompts.fakes import FakeModels
from tests.unit.prompts.test_pipeline import Tutor, config, core, items


class FakeRegistry:
    def __init__(self, error: StorageError | None = None) -> None:
        self.error = error
        self.asked: list[tuple[PromptRelease, str]] = []

    async def promote(
        self, release: PromptRelease, alias: str = "production", shadow_share: float | None = None
    ) -> PromptEntry:
        self.asked.append((release, alias))
        if self.error is not None:
            raise self.error
        kept = PromptRelease(**{**dict(release), "version": 3})
        return PromptEntry(release=kept, aliases=(alias,), state="live")


class FakeTracker:
    def __init__(self, error: StorageError | None = None) -> None:
        self.error = error
        self.runs: list[TrackedRun] = []

    def track(self, run: TrackedRun) -> str:
        if self.error is not None:
            raise self.error
        self.runs.append(run)
        return "sqlite:///mlflow.db#/runs/1"


async def optimized(
    directory: Path, outlets: Outlets, models: FakeModels | None = None, **changes: Any
) -> OptimizationResult:
    return await core(models or Tutor(), outlets=outlets).optimize_prompt(config(**changes), items(), directory)


async def test_a_proven_winner_is_registered_under_the_alias_with_its_evidence(tmp_path: Path) -> None:
    registry = FakeRegistry()

    found = await optimized(tmp_path, Outlets(registry), alias="staging")

    ((release, alias),) = registry.asked
    assert alias == "staging"
    assert release.improvement == found.improvement
    assert release.evidence == f"optimization:{found.id}"
    assert release.tags["data_hash"] == found.data_sha256
    assert found.registered is not None
    assert (found.registered.release.version, found.registered.aliases) == (3, ("staging",))
    assert read_result(tmp_path) == found


@pytest.mark.parametrize(
    ("models", "changes"), [(Tutor(), {"promote": False}), (FakeModels(answer=lambda _: "no"), {})]
)
async def test_what_is_not_wanted_or_not_proven_is_not_registered(
    tmp_path: Path, models: FakeModels, changes: dict[str, Any]
) -> None:
    registry = FakeRegistry()

    found = await optimized(tmp_path, Outlets(registry), models, **changes)

    assert registry.asked == []
    assert found.registered is None


async def test_a_registry_that_fails_loses_nothing_and_the_result_says_what_to_do(tmp_path: Path) -> None:
    found = await optimized(tmp_path, Outlets(FakeRegistry(StorageError("MLflow at x did not take it"))))

    assert found.is_promoted
    assert found.registered is None
    assert f"MLflow at x did not take it. Nothing is lost: neuroforge prompts promote {tmp_path}" in found.warnings[-1]
    assert read_result(tmp_path) == found
    assert is_undelivered(found)
    assert (tmp_path / REPORT).exists()


async def test_the_next_start_registers_what_could_not_be_and_nothing_twice(tmp_path: Path) -> None:
    await optimized(tmp_path, Outlets(FakeRegistry(StorageError("down")), FakeTracker(StorageError("down"))))
    registry, tracker = FakeRegistry(), FakeTracker()

    for _ in range(2):
        found = await optimized(tmp_path, Outlets(registry, tracker))

    assert len(registry.asked) == len(tracker.runs) == 1
    assert found.registered is not None
    assert found.warnings == ()
    assert not is_undelivered(found)


async def test_one_run_is_tracked_with_aggregates_and_the_winner(tmp_path: Path) -> None:
    tracker = FakeTracker()

    found = await optimized(tmp_path, Outlets(tracker=tracker))

    (run,) = tracker.runs
    assert found.tracked_at == "sqlite:///mlflow.db#/runs/1"
    assert run.run_name == found.id
    assert run.metrics["score.optimized"] == found.scores["optimized"]
    assert run.metrics["improvement.low"] <= run.metrics["improvement"]
    assert run.parameters["data_sha256"] == found.data_sha256
    assert run.parameters["prompt"] == found.text
    assert run.tags["neuroforge.winner"] == program_id(found.optimized)
    assert [Path(one).name for one in run.artifacts] == ["result.json", "report.html", "candidates.parquet"]


async def test_every_candidate_has_a_row_with_its_parents_and_what_it_got(tmp_path: Path) -> None:
    found = await optimized(tmp_path, Outlets())
    rows = pq.read_table(io.BytesIO((tmp_path / CANDIDATES).read_bytes())).to_pylist()

    assert len(rows) == found.n_candidates
    assert (rows[0]["operator"], rows[0]["parents"]) == ("seed", [])
    ids = {row["candidate_id"] for row in rows}
    assert all(row["parents"] and set(row["parents"]) <= ids for row in rows[1:])
    (winner,) = (row for row in rows if row["is_winner"])
    assert winner["fitness"] == pytest.approx(found.scores["search"])


async def test_every_evaluation_has_a_row_and_their_means_are_the_scores(tmp_path: Path) -> None:
    found = await optimized(tmp_path, Outlets())
    rows = pq.read_table(io.BytesIO((tmp_path / EVALUATIONS).read_bytes())).to_pylist()

    test = [row for row in rows if row["split"] == "test"]
    winner = program_id(found.optimized)
    mine = [row["score"] for row in test if row["candidate_id"] == winner]
    assert len(mine) == 30
    assert sum(mine) / 30 == pytest.approx(found.scores["optimized"])
    assert {row["split"] for row in rows} == {"search", "selection", "test"}
    assert len({(row["candidate_id"], row["item_id"]) for row in rows}) == len(rows)
