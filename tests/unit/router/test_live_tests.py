"""Live tests from their creation to their end, on a real learner and database."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestSpec, LiveTestTag
from neuroforge.contracts.outcomes import Feedback, OutcomeRecord
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.errors import ConflictError, NotFound
from neuroforge.router.live_verdict import ArmTally, share_out
from tests.unit.router.learning import START_S, Bench, bench_at, template

ARMS = (LiveTestArm(name="control", model_id="small"), LiveTestArm(name="other", model_id="large"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("empty") / "outcomes.db")


@pytest.fixture
def bench(tmp_path: Path, empty: Path) -> Bench:
    return bench_at(tmp_path, empty)


def spec(**changes: Any) -> LiveTestSpec:
    fields: dict[str, Any] = {"name": "t", "target": "auto", "arms": ARMS, "metric": "success", "sticky": "request"}
    return LiveTestSpec(**(fields | changes))


def answered(number: int, arm: str = "control", status: int = 200, unit: int | None = None, **more: Any) -> Any:
    tag = LiveTestTag(test="t", arm=arm, unit=f"{number if unit is None else unit:016x}", model_id="small")
    names: dict[str, Any] = {"decision_id": f"d{number}", "request_id": f"r{number}", "model_id": "small"}
    names["policy"] = "explicit"
    decision = Decision(**names, reason="live_test", snapshot_version=1, live_test=tag)
    values = {"status": status, "finish_reason": "stop", "n_completion_tokens": 5, "latency_s": 6.0, **more}
    return OutcomeRecord(at_s=START_S, decision=decision, outcome=Outcome(**names, **values))


def units(bench: Bench) -> dict[str, int]:
    return {one.arm.name: one.n_units for one in bench.learner.live_tests.status("t").arms}


def mean(bench: Bench, arm: int = 0) -> float | None:
    found = bench.learner.live_tests.status("t").arms[arm].estimate
    return None if found is None else found.mean


class TestLife:
    def test_replicas_get_the_plan_with_the_next_snapshot(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())

        (plan,) = bench.snapshot().live_tests
        assert (plan.spec.name, plan.weights) == ("t", (0.5, 0.5))

    def test_a_stopped_one_is_in_no_snapshot_and_counts_nothing_more(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())
        assert bench.learner.live_tests.stop("t").state == "stopped"

        bench.report(answered(1))

        assert bench.snapshot().live_tests == ()
        assert units(bench) == {"control": 0, "other": 0}

    def test_two_on_one_target_are_refused(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())

        with pytest.raises(ConflictError, match="'t' runs on 'auto' already"):
            bench.learner.live_tests.create(spec(name="u"))
        bench.learner.live_tests.create(spec(name="u", target="small"))

    def test_where_nothing_is_recorded_there_is_nothing_to_compare(self, tmp_path: Path, empty: Path) -> None:
        bench = bench_at(tmp_path, empty, record="none")

        with pytest.raises(ConflictError, match=r"router\.record is none"):
            bench.learner.live_tests.create(spec())

    def test_an_unknown_one_is_told_with_the_known(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())

        with pytest.raises(NotFound, match="'x'; known: t"):
            bench.learner.live_tests.status("x")

    def test_everything_survives_a_crash(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())
        bench.report(answered(1), answered(2, "other", status=502))
        before = bench.learner.live_tests.status("t")

        bench.crash()

        assert bench.learner.live_tests.status("t") == before
        bench.report(answered(3, unit=1))
        assert units(bench) == {"control": 1, "other": 1}, "unit 1 was observed before the crash"


class TestObservations:
    def test_a_failure_is_the_arms_and_a_caller_that_left_is_not(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())

        bench.report(answered(1), answered(2, status=503), answered(3, status=499), answered(4, status=400))

        control = bench.learner.live_tests.status("t").arms[0]
        assert (control.n_requests, control.n_failures, control.n_units) == (2, 1, 2)
        assert mean(bench) == 0.5

    def test_of_each_unit_the_first_counts(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())

        bench.report(answered(1, unit=7), answered(2, unit=7, status=502))

        control = bench.learner.live_tests.status("t").arms[0]
        assert (control.n_requests, control.n_units, mean(bench)) == (2, 1, 1.0)

    def test_speed_is_the_share_of_the_time_that_was_left(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec(metric="speed", slow_s=24.0))

        bench.report(answered(1), answered(2, status=502))

        assert mean(bench) == pytest.approx((0.75 + 0.0) / 2)

    def test_scores_come_from_feedback_alone_the_first_of_each_answer(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec(metric="score"))
        bench.report(answered(1), answered(2, status=502))
        assert mean(bench) is None

        bench.learner.give_feedback(Feedback(decision_id="d1", score=0.75), None)
        bench.learner.give_feedback(Feedback(decision_id="d1", score=0.0), None)

        assert (mean(bench), units(bench)["control"]) == (0.75, 1)

    def test_a_report_that_comes_twice_counts_once(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())
        for _ in range(2):
            bench.report(answered(1))

        assert bench.learner.live_tests.status("t").arms[0].n_requests == 1

    def test_a_purge_forgets_whose_units_were_seen(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())
        bench.report(answered(1))

        bench.learner.purge()
        bench.report(answered(2, unit=1))

        assert units(bench)["control"] == 2

    def test_a_shadow_is_compared_with_the_control_on_the_same_request(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec(mode="shadow"))

        bench.report(answered(1, unit=1), answered(2, unit=2))
        bench.report(answered(3, "other", unit=1, status=502), answered(4, "other", unit=9))

        found = bench.learner.live_tests.status("t").differences["other"]
        assert (found.mean, found.n) == (-1.0, 1)


class TestVerdict:
    def test_a_winner_ends_the_test(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec())
        for number in range(60):
            bench.report(answered(2 * number, status=502), answered(2 * number + 1, "other"))

        found = bench.learner.live_tests.status("t")

        assert (found.state, found.winner) == ("decided", "other")
        assert found.differences["other"].low > 0
        assert "other is the best" in found.sentence
        assert sum(units(bench).values()) < 60, "it ended as soon as the data said so"
        assert bench.snapshot().live_tests == ()

    def test_equal_arms_end_without_one_when_told_to(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec(max_units=20))
        for number in range(15):
            bench.report(answered(2 * number), answered(2 * number + 1, "other"))

        found = bench.learner.live_tests.status("t")

        assert (found.state, found.winner, sum(units(bench).values())) == ("decided", None, 20)
        assert "no difference shown" in found.sentence

    def test_shares_are_even_unless_adaptive(self) -> None:
        tallies = [tally([1.0] * 30), tally([0.0] * 30)]

        assert share_out(spec(), tallies) == (0.5, 0.5)

    def test_an_adaptive_test_leaves_what_is_clearly_worse_and_starves_nobody(self) -> None:
        arms = (*ARMS, LiveTestArm(name="third", model_id="third"))
        rng = np.random.default_rng(0)
        drawn = [tally([float(rng.random() < p) for _ in range(300)]) for p in (0.6, 0.55, 0.05)]

        shares = share_out(spec(arms=arms, mode="adaptive"), drawn)

        assert sum(shares) == pytest.approx(1.0)
        assert shares[2] < 0.1 < 0.3 < min(shares[:2])
        assert min(shares) >= 1 / np.sqrt(900)

    def test_shares_are_computed_again_when_the_units_have_grown_by_a_fiftieth(self, bench: Bench) -> None:
        bench.learner.live_tests.create(spec(mode="adaptive"))

        def weights_after(*numbers: int) -> tuple[float, ...]:
            """Every third control fails and every fourth other: nobody is shown to be the best."""
            arms = ("control", "other")
            bench.report(*(
                answered(n, arms[n % 2], status=502 if n % (6 if n % 2 == 0 else 8) < 2 else 200) for n in numbers
            ))  # fmt: skip
            return bench.learner.live_tests.plans[0].weights

        first = weights_after(*range(200))
        assert first != (0.5, 0.5)
        assert weights_after(200, 202, 204) == first
        assert weights_after(206) != first


def tally(values: list[float]) -> ArmTally:
    found = ArmTally()
    for value in values:
        found = found.seen(value)
    return found
