"""What Tune is told by its searcher and its scheduler."""

from pathlib import Path

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from cluster.cohort_worker import make_scratch, read_cohort
from cluster.cohorts import Race
from cluster.tune import CohortSearcher, RacingScheduler
from neuroforge.errors import DiskFull, EngineError
from tests.unit.cluster.test_cohorts import Steps, trials


@pytest.fixture
def race() -> Race:
    return Race(Steps(3), n_workers=1, step=trials(2))


@pytest.fixture
def searcher(race: Race, tmp_path: Path) -> CohortSearcher:
    make_scratch(tmp_path)
    return CohortSearcher(race, tmp_path)


def end(race: Race, cohort: int, disk_full: str = "") -> str:
    return RacingScheduler(race).on_trial_result(None, None, {"cohort": cohort, "disk_full": disk_full})


def test_a_suggestion_is_a_cohorts_number_and_a_worker_finds_the_rest(searcher: CohortSearcher, tmp_path: Path) -> None:
    assert searcher.suggest("t") == {"cohort": 0}
    assert read_cohort(tmp_path, 0).trials() == trials(2)


def test_a_trial_ends_with_its_block_and_the_next_step_follows_the_last(race: Race, searcher: CohortSearcher) -> None:
    searcher.suggest("t")
    assert searcher.suggest("u") is None, "the barrier"

    assert end(race, 0) == TrialScheduler.STOP

    assert searcher.suggest("u") == {"cohort": 1}


def test_nothing_is_suggested_when_the_search_is_over(searcher: CohortSearcher, race: Race) -> None:
    for cohort in (0, 1):
        searcher.suggest("t")
        end(race, cohort)

    assert searcher.suggest("u") == Searcher.FINISHED


def test_a_worker_without_room_for_answers_ends_the_search_by_its_own_error(
    searcher: CohortSearcher, race: Race
) -> None:
    searcher.suggest("t")
    end(race, 0, disk_full="results-7.jsonl: cannot be written")

    for ask in (lambda: searcher.suggest("u"), lambda: RacingScheduler(race).choose_trial_to_run(None)):
        with pytest.raises(DiskFull, match=r"results-7.jsonl: cannot be written"):
            ask()


def test_a_trial_that_failed_for_good_ends_the_search(searcher: CohortSearcher) -> None:
    searcher.suggest("t")
    searcher.on_trial_complete("t", error=True)

    with pytest.raises(EngineError, match="failed 4 times"):
        searcher.suggest("u")


def test_a_killed_runs_files_of_tune_are_swept_away(tmp_path: Path) -> None:
    old = make_scratch(tmp_path) / "old"
    old.write_text("")

    make_scratch(tmp_path)

    assert not old.exists()
