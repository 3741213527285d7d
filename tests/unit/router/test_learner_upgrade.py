"""A database that an earlier version's learner left behind is learned from by this one.

`data/learner-2026-11-23.sql` is what that version wrote (before live tests had tables, before models shared what they
have in common): 13 outcomes of one model, 10 right and 3 wrong, the last of them only in the redo log.
"""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from neuroforge.contracts.outcomes import Feedback
from neuroforge.errors import DataError
from neuroforge.router.online import OnlinePosterior
from tests.unit.router.learning import BASIS, START_S, Bench, prior_of, record

OLD = Path(__file__).parent / "data" / "learner-2026-11-23.sql"
OLD_VERSION = 13


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    path = tmp_path / "outcomes.db"
    connection = sqlite3.connect(path)
    connection.executescript(OLD.read_text())
    connection.close()
    bench = Bench(path)
    bench.clock.now_s = START_S + 60
    return bench


def old_state(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    [(online,)] = connection.execute("select online from nf_learner").fetchall()
    connection.close()
    return bytes(online)


def test_an_old_posterior_is_told_apart(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(OLD.read_text())
    connection.close()

    with pytest.raises(DataError, match=r"neuroforge\.online\.1"):
        OnlinePosterior.from_bytes(old_state(tmp_path / "old.db"))


def test_every_old_outcome_is_learned_once_the_last_of_the_redo_log_too(bench: Bench) -> None:
    expected = OnlinePosterior(prior_of(None), 7 * 86400.0)
    for number in range(13):
        residual = -0.5 if 9 <= number < 12 else 0.5
        expected.update("small", np.array(BASIS), residual, at_s=START_S)

    assert bench.correction() == pytest.approx(float(expected.predict(["small"], np.array(BASIS))[0][0]))
    assert bench.weight() == pytest.approx(13)
    status = bench.learner.status()
    assert (status.n_outcomes, status.n_scored) == (13, 13)


def test_versions_go_on_above_the_old_ones(bench: Bench) -> None:
    assert bench.learner.status().version > OLD_VERSION


def test_old_outcomes_take_new_feedback_and_new_ones_follow(bench: Bench) -> None:
    before = bench.correction()

    bench.learner.give_feedback(Feedback(decision_id="d0", score=0.0), None)
    bench.report(record(20, at_s=START_S + 60))
    bench.learner.give_feedback(Feedback(decision_id="d20", score=0.0), None)

    assert bench.correction() < before
    assert bench.learner.status().n_outcomes == 14


def test_what_was_made_anew_is_read_by_the_next_start(bench: Bench) -> None:
    before = bench.correction()
    bench.crash()

    assert bench.correction() == pytest.approx(before)
    assert OnlinePosterior.from_bytes(old_state(bench.path)).n_outcomes("small") == pytest.approx(13)
