"""Steps of a search as cohorts, and the barrier between them."""

import pickle

import pytest

from cluster.cohorts import Cohort, Race, cut
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.errors import DiskFull
from neuroforge.prompts.evolution_state import Trial


def trials(n: int, block: int = 0) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            PromptCandidate(id=f"c{k}", program=PromptProgram(instruction=f"Do {k}."), operator="seed"), block, ("i",)
        )
        for k in range(n)
    )


class Steps:
    """Steps of so many trials, one after another; remembers what it was told."""

    def __init__(self, *sizes: int) -> None:
        self.told: list[tuple[str, ...]] = []
        self._left = [trials(size, block) for block, size in enumerate(sizes, start=1)]

    def __call__(self, done: tuple[Trial, ...]) -> tuple[Trial, ...]:
        self.told.append(tuple(trial.candidate.id for trial in done))
        return self._left.pop(0) if self._left else ()


def run_all(race: Race) -> list[Cohort]:
    found = []
    while (cohort := race.next()) is not None:
        found.append(cohort)
    return found


@pytest.mark.parametrize(
    ("n_trials", "n_workers", "sizes"),
    [
        (1, 1, [1]),
        (12, 4, [12]),
        (31, 2, [31]),
        (32, 2, [16, 16]),
        (64, 1, [64]),
        (65, 1, [32, 33]),
        (200, 2, [50, 50, 50, 50]),
        (100, 3, [33, 33, 34]),
    ],
)
def test_cohorts_are_few_and_of_a_size(n_trials: int, n_workers: int, sizes: list[int]) -> None:
    assert [len(one.candidates) for one in cut(trials(n_trials), n_workers, 0)] == sizes


def test_cohorts_hold_the_trials_in_their_order() -> None:
    asked = trials(40)

    found = cut(asked, n_workers=2, first=7)

    assert tuple(trial for one in found for trial in one.trials()) == asked
    assert [one.number for one in found] == [7, 8]


def test_no_more_run_at_once_than_there_are_workers() -> None:
    race = Race(Steps(), n_workers=2, step=trials(200))

    assert [one.number for one in run_all(race)] == [0, 1]
    race.finish(1)
    assert [one.number for one in run_all(race)] == [2]


def test_a_step_is_told_whole_and_in_order_whoever_comes_first() -> None:
    steps = Steps(3)
    race = Race(steps, n_workers=2, step=trials(32))
    first, second = run_all(race)

    race.finish(second.number)
    assert steps.told == []
    assert race.next() is None, "the barrier"
    race.finish(first.number)

    assert steps.told == [tuple(f"c{k}" for k in range(32))]
    assert [(one.number, one.block, len(one.candidates)) for one in run_all(race)] == [(2, 1, 3)]


def test_it_is_over_when_nothing_is_asked_for_any_more() -> None:
    race = Race(Steps(), n_workers=1, step=trials(2))
    (only,) = run_all(race)
    assert not race.is_over

    race.finish(only.number)

    assert race.is_over
    assert race.next() is None


def test_an_error_at_the_barrier_is_raised_to_who_asks_next_as_it_was() -> None:
    def full(_done: tuple[Trial, ...]) -> tuple[Trial, ...]:
        raise DiskFull("no room")

    race = Race(full, n_workers=1, step=trials(2))
    (only,) = run_all(race)
    race.finish(only.number)

    with pytest.raises(DiskFull, match="no room"):
        race.check()
    with pytest.raises(DiskFull, match="no room"):
        race.next()


def test_it_can_be_pickled_and_carries_nothing_along() -> None:
    race = Race(lambda done: done, n_workers=1, step=trials(2))

    assert pickle.loads(pickle.dumps(race)).__dict__ == {}
