import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroforge.contracts.scores import Score
from neuroforge.datasets.ask import MAX_ATTEMPTS, Asker, AskSettings, Contestant
from neuroforge.datasets.journal import Journal
from neuroforge.datasets.label import Labeler
from neuroforge.datasets.progress import GIVE_UP_AFTER, Progress
from neuroforge.errors import ContextLengthExceeded, EngineUnavailable
from neuroforge.scoring.normalized import score_normalized
from tests.fakes import FakeClock
from tests.unit.datasets.fakes import FakeFleet, item

ITEMS = [item(number) for number in range(40)]
SMALL, LARGE = Contestant("small", n_slots=1), Contestant("large", n_slots=3)


def run(
    path: Path,
    fleet: FakeFleet,
    contestants: tuple[Contestant, ...] = (SMALL, LARGE),
    max_s: float | None = None,
    clock: FakeClock | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    clock = clock or FakeClock()
    asker = Asker(fleet, _score, AskSettings(), clock, clock, lambda _s: None)
    with Journal(path, clock, lambda _fd: None) as journal:
        return Labeler(asker, journal, report, clock).run(ITEMS, contestants, max_s)


def _score(question: object, reply: str) -> Score:
    return score_normalized(reply, ("yes",))


def says_yes() -> FakeFleet:
    return FakeFleet(lambda _model, _query: "yes")


def test_every_question_is_asked_of_every_model_once(tmp_path: Path) -> None:
    fleet = says_yes()
    progress = run(tmp_path / "a.jsonl", fleet)
    assert sorted(fleet.calls) == sorted((one, question.query) for one in ("small", "large") for question in ITEMS)
    assert (progress.n_done, progress.n_left, progress.by_model["small"].mean_score) == (80, 0, 1.0)


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    run(tmp_path / "a.jsonl", says_yes())
    fleet = says_yes()
    assert run(tmp_path / "a.jsonl", fleet).n_left == 0
    assert fleet.calls == []


def test_a_new_model_is_asked_alone(tmp_path: Path) -> None:
    run(tmp_path / "a.jsonl", says_yes(), (SMALL,))
    fleet = says_yes()
    run(tmp_path / "a.jsonl", fleet)
    assert {model for model, _ in fleet.calls} == {"large"}


def test_a_killed_run_is_gone_on_with_and_repeats_no_journalled_cell(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    fleet = says_yes()

    def kill(progress: Progress) -> None:
        if progress.n_done == 33:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "a.jsonl", fleet, report=kill)
    run(tmp_path / "a.jsonl", fleet)
    n_in_flight = LARGE.n_slots
    assert len(set(fleet.calls)) == 80
    assert len(fleet.calls) <= 80 + n_in_flight


def test_no_call_starts_after_the_time_is_over(tmp_path: Path) -> None:
    clock = FakeClock()

    def slow(_model: str, _query: str) -> str:
        clock.advance(1.0)
        return "yes"

    progress = run(tmp_path / "a.jsonl", FakeFleet(slow), (SMALL,), max_s=5.0, clock=clock)
    assert (progress.n_done, progress.n_left) == (5, 35)


def test_a_models_slots_are_full_and_not_more(tmp_path: Path) -> None:
    gate = threading.Barrier(3, timeout=10)

    def together(_model: str, query: str) -> str:
        if int(query.split()[1].rstrip("?")) < 39:  # 13 times 3: the fortieth would wait alone
            gate.wait()
        return "yes"

    fleet = FakeFleet(together)
    run(tmp_path / "a.jsonl", fleet, (LARGE,))
    assert fleet.most_running == {"large": 3}


def test_models_do_not_run_beside_each_other(tmp_path: Path) -> None:
    fleet = says_yes()
    run(tmp_path / "a.jsonl", fleet)
    models = [model for model, _ in fleet.calls]
    assert models == ["small"] * 24 + ["large"] * 24 + ["small"] * 16 + ["large"] * 16


def test_a_model_that_is_down_is_given_up_and_the_rest_goes_on(tmp_path: Path) -> None:
    def reply(model: str, _query: str) -> str:
        if model == "small":
            raise EngineUnavailable("small is down")
        return "yes"

    fleet = FakeFleet(reply)
    progress = run(tmp_path / "a.jsonl", fleet)
    assert progress.down == {"small": "small is down"}
    assert progress.by_model["large"].n_answers == 40
    assert [model for model, _ in fleet.calls].count("small") == GIVE_UP_AFTER * MAX_ATTEMPTS


def test_what_failed_and_may_pass_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    def down(_model: str, _query: str) -> str:
        raise EngineUnavailable("down")

    run(tmp_path / "a.jsonl", FakeFleet(down), (SMALL,))
    progress = run(tmp_path / "a.jsonl", says_yes(), (SMALL,))
    assert (progress.n_done, progress.n_failed) == (40, 0)


def test_what_failed_for_good_is_counted_and_not_asked_again(tmp_path: Path) -> None:
    def too_long(_model: str, _query: str) -> str:
        raise ContextLengthExceeded("too long")

    assert run(tmp_path / "a.jsonl", FakeFleet(too_long), (SMALL,)).n_failed == 40
    fleet = says_yes()
    progress = run(tmp_path / "a.jsonl", fleet, (SMALL,))
    assert (progress.n_failed, progress.n_done, fleet.calls) == (40, 0, [])


def test_the_time_left_counts_each_models_own_speed(tmp_path: Path) -> None:
    clock = FakeClock()
    seen: list[float | None] = []

    def reply(model: str, _query: str) -> str:
        clock.advance(1.0 if model == "small" else 10.0)
        return "yes"

    contestants = (SMALL, Contestant("large"))
    run(tmp_path / "a.jsonl", FakeFleet(reply), contestants, None, clock, lambda one: seen.append(one.eta_s))
    assert seen[0] is None
    assert seen[24] == 16 * 1.0 + 39 * 10.0
    assert seen[-1] == 0.0
