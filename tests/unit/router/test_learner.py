"""What the learner does with reports and feedback; what an outcome teaches is the posterior's own matter."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.outcomes import Feedback
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import RoutingRules
from neuroforge.errors import DataError, NotFound
from neuroforge.router.online import OnlinePosterior
from tests.unit.router.learning import BASIS, DAY_S, START_S, Bench, bench_at, prior_of, record, template


def learned(residual: float, weight: float = 1.0) -> float:
    """What a posterior says that has seen this one outcome."""
    posterior = OnlinePosterior(prior_of(None), 7 * DAY_S)
    posterior.update("small", np.array(BASIS), residual, at_s=START_S, weight=weight)
    return float(posterior.predict(["small"], np.array(BASIS))[0][0])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("empty") / "outcomes.db")


@pytest.fixture
def bench(tmp_path: Path, empty: Path) -> Bench:
    return bench_at(tmp_path, empty)


def good(number: int = 1, **more: Any) -> Feedback:
    return Feedback(decision_id=f"d{number}", **({"score": True} | more))


class TestExchange:
    def test_a_failure_lowers_the_model_and_a_success_alone_says_nothing(self, bench: Bench) -> None:
        bench.report(record(1))
        assert bench.correction() == 0.0

        bench.report(record(2, status=502))

        assert bench.correction() == pytest.approx(learned(-0.5, 0.02))

    def test_failures_alone_are_no_change_of_the_model(self, bench: Bench) -> None:
        """Failures are all scored and good answers are not, so residuals lean to one side for ever."""
        for number in range(20):
            bench.report(record(number))
            bench.learner.give_feedback(good(number), None)
        bench.report(*(record(number) for number in range(100, 1100)))
        bench.report(*(record(number, status=502, at_s=START_S + 1) for number in range(2000, 2200)))

        assert bench.weight() == pytest.approx(20 + 200 * 0.02, rel=0.01)
        assert bench.correction() > 0.2

    def test_a_report_that_comes_twice_counts_once(self, bench: Bench) -> None:
        for _ in range(2):
            bench.report(record(1, status=502), record(1, status=502), record(2))

        assert bench.weight() == pytest.approx(0.02)
        assert bench.learner.status().n_outcomes == 2

    def test_a_replica_that_is_up_to_date_gets_nothing(self, bench: Bench) -> None:
        version = bench.snapshot().version

        assert bench.report(version=version).snapshot is None

    def test_changes_are_published_at_most_every_300_ms(self, bench: Bench) -> None:
        version = bench.snapshot().version
        bench.report(record(1, status=502))
        bench.clock.now_s += 0.25
        first = bench.report(record(2, status=502)).snapshot.version
        bench.clock.now_s += 0.5
        assert bench.report().snapshot.version == first + 1
        bench.clock.now_s += 5
        assert bench.report().snapshot.version == first + 1
        assert first - version <= 1

    def test_new_rules_are_published_at_once(self, bench: Bench) -> None:
        version = bench.snapshot().version
        bench.rules.live = RoutingRules(version=7)

        found = bench.report(version=version).snapshot

        assert (found.version, found.rules.version) == (version + 1, 7)

    def test_rules_in_shadow_see_the_decisions(self, bench: Bench) -> None:
        bench.report(record(1), record(2))

        assert bench.rules.observed == ["d1", "d2"]

    def test_outcomes_without_a_basis_are_kept_but_not_learned(self, bench: Bench) -> None:
        bench.report(record(1, status=502, basis=None, base_quality=None))

        assert bench.weight() == 0.0
        assert bench.learner.find_decision("d1", None).score == 0.0

    def test_a_basis_of_another_length_is_not_learned(self, bench: Bench) -> None:
        bench.report(record(1, status=502, basis=(1.0, 2.0, 3.0)))

        assert bench.weight() == 0.0

    def test_dropped_outcomes_are_counted(self, bench: Bench) -> None:
        bench.report(n_dropped=3)
        bench.report(n_dropped=2)

        assert bench.learner.status().n_dropped == 5

    def test_nothing_is_kept_or_learned_at_level_none(self, tmp_path: Path, empty: Path) -> None:
        bench = bench_at(tmp_path, empty, record="none")

        bench.report(record(1, status=502))

        assert (bench.store.counts().n_outcomes, bench.weight(), bench.rules.observed) == (0, 0.0, [])
        with pytest.raises(NotFound, match=r"router\.record is none"):
            bench.learner.give_feedback(good(), None)

    def test_outcomes_are_deleted_when_their_time_is_over(self, bench: Bench) -> None:
        bench.report(record(1), record(2, at_s=START_S + DAY_S))
        bench.clock.now_s += 30 * DAY_S + 1

        bench.learner.tend()

        status = bench.learner.status()
        assert (status.n_outcomes, status.n_outcomes_by_model) == (1, {"small": 1.0})


class TestFeedback:
    def test_it_raises_the_model(self, bench: Bench) -> None:
        bench.report(record(1))

        receipt = bench.learner.give_feedback(good(score=0.75), "local")

        assert (receipt.status, receipt.score) == ("accepted", 0.75)
        assert bench.correction() == pytest.approx(learned(0.25))
        found = bench.learner.find_decision("d1", "local")
        assert (found.score, found.score_source) == (0.75, "explicit")

    def test_it_takes_the_place_of_what_the_outcome_said_itself(self, bench: Bench) -> None:
        bench.report(record(1, status=502))

        assert bench.learner.give_feedback(good(), None).status == "accepted"

        assert bench.correction() == pytest.approx(learned(0.5))

    def test_the_same_again_changes_nothing(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.give_feedback(good(), None)
        version = bench.snapshot().version

        assert bench.learner.give_feedback(good(), None).status == "duplicate"

        assert bench.snapshot().version == version
        assert bench.store.summary("text", 1.0).n_feedback == 1

    def test_a_contradiction_replaces_what_was_said(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.give_feedback(good(), None)

        assert bench.learner.give_feedback(good(score=False), None).status == "replaced"

        assert bench.correction() == pytest.approx(learned(-0.5))
        assert bench.weight() == pytest.approx(1.0)

    def test_a_new_comment_alone_is_kept_and_teaches_nothing(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.give_feedback(good(), None)

        assert bench.learner.give_feedback(good(comment="well said"), None).status == "replaced"

        assert bench.weight() == pytest.approx(1.0)

    def test_late_feedback_waits_for_the_next_fit(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.clock.now_s += 28 * DAY_S + 1

        assert bench.learner.give_feedback(good(), None).status == "late"

        assert bench.weight() == 0.0
        assert bench.learner.find_decision("d1", None).score == 1.0

    def test_feedback_on_a_decision_of_an_earlier_fit_is_late(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.apply_fit(b"fit")

        assert bench.learner.give_feedback(good(), None).status == "late"
        assert bench.weight() == 0.0

    def test_a_preferred_answer_is_compared_with_the_one_given(self, bench: Bench) -> None:
        bench.report(record(1), record(2))

        scores = [
            bench.learner.give_feedback(Feedback(decision_id=one, preferred_answer=text), None).score
            for one, text in (("d1", "Paris"), ("d2", "Rome"))
        ]

        assert scores == [1.0, 0.0]

    def test_words_are_kept_at_level_text_only(self, tmp_path: Path, empty: Path) -> None:
        bench = bench_at(tmp_path, empty, record="stats")
        bench.report(record(1))

        bench.learner.give_feedback(good(comment="private words"), None)
        again = bench.learner.give_feedback(good(comment="other words"), None)

        last = bench.store.last_statement("d1")
        assert last is not None
        assert (last.comment, again.status) == (None, "duplicate")

    def test_another_callers_decision_does_not_exist(self, bench: Bench) -> None:
        bench.report(record(1, actor="ann"))

        for act in (
            lambda: bench.learner.find_decision("d1", "bob"),
            lambda: bench.learner.give_feedback(good(), "bob"),
            lambda: bench.learner.find_decision("d2", "bob"),
        ):
            with pytest.raises(NotFound, match="there is no such decision"):
                act()
        assert bench.learner.find_decision("d1", "ann") == bench.learner.find_decision("d1", None)


class TestState:
    def test_a_crash_loses_nothing_and_doubles_nothing(self, bench: Bench) -> None:
        bench.report(record(1), record(2, status=502))
        bench.clock.now_s += 2
        bench.report(record(3, status=502))
        bench.learner.give_feedback(good(1), None)
        bench.learner.give_feedback(good(1, score=False), None)
        before = bench.correction(), bench.weight()

        bench.crash()
        assert (bench.correction(), bench.weight()) == pytest.approx(before)
        bench.crash()
        assert (bench.correction(), bench.weight()) == pytest.approx(before)

    def test_versions_go_on_after_a_crash(self, bench: Bench) -> None:
        bench.report(record(1, status=502))
        version = bench.snapshot().version

        bench.crash()

        assert bench.snapshot().version > version

    def test_feedback_after_a_crash_still_replaces(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.give_feedback(good(), None)
        bench.crash()

        assert bench.learner.give_feedback(good(score=False), None).status == "replaced"
        assert bench.correction() == pytest.approx(learned(-0.5))

    def test_a_posterior_that_cannot_be_read_is_learned_anew(self, bench: Bench) -> None:
        bench.report(record(1))
        bench.learner.give_feedback(good(), None)
        bench.learner.close()
        with bench.store.database.write() as connection:
            connection.exec_driver_sql("UPDATE nf_learner SET online = x'00ff'")

        bench.crash()

        assert bench.correction() == pytest.approx(learned(0.5))


class TestFit:
    def test_a_new_fit_reaches_replicas_once_and_empties_the_posterior(self, bench: Bench) -> None:
        bench.report(record(1, status=502))

        status = bench.learner.apply_fit(b"fit")

        found = bench.report(version=1).snapshot
        assert (found.fit, found.fit_id, bench.weight()) == (b"fit", status.fit_id, 0.0)
        assert bench.report(fit=status.fit_id).snapshot.fit is None

    def test_a_fit_that_cannot_be_used_changes_nothing(self, bench: Bench) -> None:
        bench.learner.apply_fit(b"fit")
        before = bench.snapshot()

        with pytest.raises(DataError, match="another embedder"):
            bench.learner.apply_fit(b"bad")

        assert bench.snapshot() == before
        bench.crash()
        assert bench.snapshot().fit_id == before.fit_id

    def test_the_same_fit_again_keeps_what_was_learned(self, bench: Bench) -> None:
        version = bench.learner.apply_fit(b"fit").version
        bench.report(record(1, status=502, version=version))

        bench.learner.apply_fit(b"fit")

        assert bench.weight() == pytest.approx(0.02)

    def test_outcomes_of_the_fit_before_are_not_learned_on_the_new_basis(self, bench: Bench) -> None:
        version = bench.learner.apply_fit(b"fit").version

        bench.report(record(1, status=502, version=version - 1), record(2, status=502, version=version))

        assert bench.weight() == pytest.approx(0.02)

    def test_fit_and_posterior_outlive_a_crash(self, bench: Bench) -> None:
        version = bench.learner.apply_fit(b"wide").version
        bench.report(record(1, status=502, version=version, basis=(1.0, 0.5, 0.0)))

        bench.crash()

        assert bench.snapshot().fit == b"wide"
        assert bench.weight() == pytest.approx(0.02)

    def test_going_back_to_a_fit_takes_nothing_back_that_is_no_longer_there(self, bench: Bench) -> None:
        bench.learner.apply_fit(b"fit")
        bench.report(record(1, version=bench.learner.status().version))
        bench.learner.give_feedback(good(), None)
        bench.learner.apply_fit(b"other")
        bench.learner.apply_fit(b"fit")

        bench.learner.give_feedback(good(score=False), None)

        assert bench.weight() == pytest.approx(1.0)
        assert bench.correction() == pytest.approx(learned(-0.5))


class TestPurge:
    def test_what_was_learned_of_purged_outcomes_goes_as_well(self, bench: Bench) -> None:
        bench.report(record(1, actor="ann"), record(2, actor="bob"))
        bench.learner.give_feedback(good(1), None)
        bench.learner.give_feedback(good(2, score=0.75), None)

        assert bench.learner.purge(actor="ann") == 1

        assert bench.correction() == pytest.approx(learned(0.25))
        assert bench.learner.status().n_outcomes == 1
        bench.crash()
        assert bench.correction() == pytest.approx(learned(0.25))


class TestStatus:
    def test_it_counts_and_says_why_there_is_no_uplift(self, bench: Bench) -> None:
        bench.report(record(1), record(2, status=502))

        status = bench.learner.status()

        assert (status.n_outcomes, status.n_scored, status.record, status.fit_id) == (2, 1, "text", "")
        assert status.uplift is None
        assert status.uplift_reason is not None
        assert "scored answers" in status.uplift_reason

    def test_the_uplift_is_measured_on_the_holdout(self, bench: Bench) -> None:
        def decided(number: int, reason: Any) -> Any:
            decision = Decision(**{**record(number).decision.model_dump(), "reason": reason, "holdout_model": "a"})
            return record(number, decision=decision)

        bench.report(*(decided(n, "holdout" if n % 2 else "utility") for n in range(80)))
        for n in range(80):
            bench.learner.give_feedback(good(n, score=n % 2 == 0), None)

        uplift = bench.learner.status().uplift

        assert uplift is not None
        assert (uplift.mean, uplift.n_router, uplift.n_holdout) == (1.0, 40, 40)

    def test_the_best_single_model_is_in_the_snapshot(self, bench: Bench) -> None:
        assert bench.snapshot().best_single is None
        bench.report(record(1, status=502))
        bench.learner.tend()

        assert bench.snapshot().best_single == "small"
