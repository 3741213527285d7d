"""What a purge leaves of optimisations."""

from pathlib import Path

import pytest

from neuroforge.contracts.outcomes import DataSummary, PurgeReport
from neuroforge.prompts.purge import add_prompt_runs, purge_prompt_runs
from neuroforge.prompts.results import RESULTS
from neuroforge.storage.append_log import lock_of

NOTHING = PurgeReport(n_outcomes=4, n_experiments=2)
NUMBERS = ("status.json", "progress.json")
TEXTS = ("config.json", RESULTS, "state.json", "result.json", "report.html", "candidates.parquet")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run of the server, with the log of a worker that was killed, and one of the command line."""
    for run_id, names in (("opt-1", (*NUMBERS, *TEXTS)), ("sense", TEXTS)):
        (tmp_path / "prompts" / run_id / "tune").mkdir(parents=True)
        for name in (*names, "tune/results-7.jsonl"):
            (tmp_path / "prompts" / run_id / name).write_text("canary")
    return tmp_path / "prompts"


def files_of(directory: Path) -> set[str]:
    return {one.name for one in directory.rglob("*") if one.is_file() and one.suffix != ".lock"}


def summary(root: Path) -> DataSummary:
    kept = DataSummary(
        record="stats", retention_days=30, n_outcomes=0, n_feedback=0, n_embeddings=0, n_texts=0, bytes_on_disk=1
    )
    return add_prompt_runs(kept, root)


def test_what_is_kept_is_told(root: Path) -> None:
    found = summary(root)
    assert (found.n_prompt_runs, found.places) == (2, (str(root / "opt-1"), str(root / "sense")))
    assert found.bytes_on_disk > 1


def test_a_purge_leaves_numbers_and_no_text(root: Path) -> None:
    assert purge_prompt_runs(NOTHING, root, None) == PurgeReport(n_outcomes=4, n_experiments=2, n_prompt_runs=2)
    assert (files_of(root / "opt-1"), files_of(root / "sense")) == (set(NUMBERS), set())
    assert summary(root).n_prompt_runs == 0


def test_a_purge_of_what_is_older_leaves_what_is_not(root: Path) -> None:
    assert purge_prompt_runs(NOTHING, root, before_s=1.0) == NOTHING
    assert summary(root).n_prompt_runs == 2


def test_a_run_that_goes_on_is_left_alone(root: Path) -> None:
    with lock_of(root / "opt-1" / RESULTS):
        assert purge_prompt_runs(NOTHING, root, None).n_prompt_runs == 1
    assert files_of(root / "opt-1") > set(TEXTS)


def test_without_runs_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert purge_prompt_runs(NOTHING, tmp_path / "prompts", None) == NOTHING
    assert not (tmp_path / "prompts").exists()
