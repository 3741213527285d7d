"""Kinds found in the traffic take the place of the examples; nothing that was learned of tasks is lost by that."""

from pathlib import Path

import pytest

from neuroforge.contracts.outcomes import Feedback
from neuroforge.router.clusters import PREFIX
from tests.unit.router.learning import Bench, bench_at, record, template

KINDS = b"kinds"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("empty") / "outcomes.db")


@pytest.fixture
def bench(tmp_path: Path, empty: Path) -> Bench:
    return bench_at(tmp_path, empty)


def rate(bench: Bench, number: int, score: float) -> str:
    return bench.learner.give_feedback(Feedback(decision_id=f"d{number}", score=score), None).status


def test_they_reach_replicas_once_with_what_was_learned(bench: Bench) -> None:
    bench.report(record(1))
    rate(bench, 1, 1.0)
    before, version = bench.correction(), bench.snapshot().version

    found = bench.report(version=version, clusters=KINDS).snapshot

    assert (found.version, found.fit) == (version + 1, KINDS)
    assert found.fit_id.startswith(PREFIX)
    assert bench.report(version=version, fit=found.fit_id).snapshot.fit is None
    assert bench.correction() == pytest.approx(before)


def test_they_are_no_fit(bench: Bench) -> None:
    bench.report(clusters=KINDS)
    status = bench.learner.status()
    assert (status.fit_id, status.has_clusters) == ("", True)


def test_the_first_ones_stay(bench: Bench) -> None:
    bench.report(clusters=KINDS)
    first = bench.snapshot().fit_id
    bench.report(clusters=b"others")
    assert bench.snapshot().fit_id == first


def test_where_a_fit_decides_they_are_not_wanted(bench: Bench) -> None:
    bench.learner.apply_fit(b"fit")
    bench.report(clusters=KINDS)
    assert not bench.learner.status().has_clusters


def test_such_that_cannot_be_used_change_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.report(clusters=b"bad")
    assert not bench.learner.status().has_clusters
    assert "kinds found in the traffic cannot be used" in caplog.text


def test_nothing_is_adopted_at_level_none(tmp_path: Path, empty: Path) -> None:
    bench = bench_at(tmp_path, empty, record="none")
    bench.report(clusters=KINDS)
    assert not bench.learner.status().has_clusters


def test_feedback_on_a_decision_from_before_is_not_late_and_replaces_exactly(bench: Bench) -> None:
    bench.report(record(1))
    rate(bench, 1, 1.0)
    before = bench.correction()
    bench.report(clusters=KINDS)

    assert rate(bench, 1, 0.0) == "replaced"
    assert bench.correction() == pytest.approx(-before)
    assert rate(bench, 1, 1.0) == "replaced"
    assert bench.correction() == pytest.approx(before)


def test_they_and_what_was_learned_by_them_outlive_a_crash(bench: Bench) -> None:
    bench.report(record(1))
    bench.report(clusters=KINDS)
    version = bench.snapshot().version
    bench.report(record(2, version=version))
    rate(bench, 1, 1.0)
    rate(bench, 2, 1.0)
    before = bench.correction()

    bench.crash()

    assert bench.learner.status().has_clusters
    assert bench.snapshot().fit == KINDS
    assert bench.correction() == pytest.approx(before)


def test_a_purge_takes_them_too_and_leaves_what_others_taught(bench: Bench) -> None:
    bench.report(record(1, actor="ann"))
    bench.report(clusters=KINDS)
    version = bench.snapshot().version
    bench.report(record(2, actor="bob", version=version))
    rate(bench, 1, 1.0)
    rate(bench, 2, 1.0)

    bench.learner.purge(actor="ann")

    assert not bench.learner.status().has_clusters
    assert bench.snapshot().fit is None
    assert bench.weight() == pytest.approx(1.0)
    assert bench.correction() > 0
    bench.crash()
    assert not bench.learner.status().has_clusters
    assert bench.weight() == pytest.approx(1.0)
