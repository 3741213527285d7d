"""Facts about outcomes, feedback and the learner's state that hold on every database."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.outcomes import OutcomeRecord
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.contracts.tasks import TaskProfile
from neuroforge.storage.learner_state import AppliedFit, Lesson, SavedState
from neuroforge.storage.outcome_rows import basis_bytes, row_of
from neuroforge.storage.outcomes import Learned, NewOutcome, OutcomeStore, Statement, open_outcomes
from tests.unit.storage.database import execute

AT_S = 1_000_000_000.0
BASIS = (1.0, 0.5, -0.25)


@pytest.fixture
def outcome_store(database_url: str) -> Iterator[OutcomeStore]:
    store = open_outcomes(database_url)
    yield store
    store.close()


def record(number: int = 1, **changes: Any) -> OutcomeRecord:
    names: dict[str, Any] = {"decision_id": f"d{number}", "request_id": f"r{number}", "model_id": "small"}
    names["policy"] = "auto"
    profile = TaskProfile(task_type="code", complexity=0.5, language="en", n_prompt_tokens=3, n_output_tokens=9)
    decision = Decision(**names, reason="utility", snapshot_version=1, profile=profile, propensity=0.5)
    fields: dict[str, Any] = {
        "at_s": AT_S + number,
        "decision": decision,
        "outcome": Outcome(**names, status=200, finish_reason="stop", latency_s=0.5, cost_usd=0.25),
        "basis": BASIS,
        "base_quality": 0.5,
        "embedding": np.arange(256, dtype="<f2").tobytes(),
        "prompt": "a prompt",
        "answer": "an answer",
    }
    return OutcomeRecord(**(fields | changes))


def new(number: int = 1, score: float | None = None, level: Any = "text", **changes: Any) -> NewOutcome:
    row = row_of(record(number, **changes), level, is_failure=score is not None)
    return NewOutcome(row, "", score, None if score is None else 0.5)


def said(number: int = 1, score: float = 1.0, **changes: Any) -> Statement:
    return Statement(
        **{
            "decision_id": f"d{number}",
            "at_s": AT_S + 50,
            "score": score,
            "status": "accepted",
            "preferred_answer": None,
            "comment": None,
            **changes,
        }
    )


def n_rows(store: OutcomeStore, table: str) -> int:
    return int(execute(store.database, f"SELECT count(*) FROM {table}")[0][0])


class TestOutcomes:
    def test_an_outcome_comes_back_without_its_embedding(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new()])

        held = outcome_store.find("d1")

        assert held is not None
        assert held.record == record(embedding=None)

    def test_an_unknown_decision_is_none(self, outcome_store: OutcomeStore) -> None:
        assert outcome_store.find("d1") is None

    @pytest.mark.parametrize(("level", "kept"), [("stats", (0, 0, 0)), ("embedding", (1, 0, 0)), ("text", (1, 1, 1))])
    def test_a_level_keeps_what_it_says_and_no_more(
        self, outcome_store: OutcomeStore, level: str, kept: tuple[int, ...]
    ) -> None:
        outcome_store.add([new(level=level)])

        counted = "SELECT count(embedding), count(prompt), count(answer) FROM nf_outcomes"
        assert execute(outcome_store.database, counted) == [kept]

    def test_the_answer_does_not_slip_in_with_the_outcome(self, outcome_store: OutcomeStore) -> None:
        outcome = Outcome(**{**record().outcome.model_dump(), "answer": "secret words"})

        outcome_store.add([new(level="stats", outcome=outcome, answer=None)])

        assert "secret words" not in str(execute(outcome_store.database, "SELECT * FROM nf_outcomes"))

    def test_text_that_databases_refuse_is_made_storable(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(prompt="a\0b\ud800")])

        assert execute(outcome_store.database, "SELECT prompt FROM nf_outcomes") == [("a\ufffdb?",)]

    def test_known_ids_are_those_that_are_stored(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(number) for number in range(700)])

        assert outcome_store.known_ids([f"d{number}" for number in range(-5, 700)]) == {f"d{n}" for n in range(700)}

    def test_scored_outcomes_come_oldest_first(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(1, 0.0), new(2), new(3, 0.0), new(4, 0.0)])

        found = outcome_store.read_scored(2)

        assert [(one.decision.decision_id, one.score, one.at_s, one.is_rated) for one in found] == [
            ("d3", 0.0, AT_S + 3, False),
            ("d4", 0.0, AT_S + 4, False),
        ]

    def test_counts_are_of_what_is_kept(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(1, 0.0), new(2), new(3)])
        outcome_store.rate(said(2), 1.0, [])

        counts = outcome_store.counts()

        assert (counts.n_outcomes, counts.n_scored, counts.n_rated, counts.n_by_model) == (3, 2, 1, {"small": 3})

    def test_the_last_statement_counts(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new()])
        outcome_store.rate(said(score=0.25), 1.0, [])
        outcome_store.rate(said(score=0.75, comment="better"), 1.0, [])

        held, last = outcome_store.find("d1"), outcome_store.last_statement("d1")

        assert last == said(score=0.75, comment="better")
        assert held is not None
        assert (held.record.score, held.record.score_source, held.learned_weight) == (0.75, "explicit", 1.0)


class TestLearnerState:
    def test_what_was_learned_after_the_save_is_found_again_once(self, outcome_store: OutcomeStore) -> None:
        seq = outcome_store.add([new(1, 0.0)])
        outcome_store.save_state(SavedState(7, b"posterior", seq, 3), AT_S)
        outcome_store.add([new(2, 0.0), new(3)])
        outcome_store.rate(said(3), 1.0, [Learned("d3", 1.0, 1.0, AT_S + 3)])

        state = outcome_store.load_state()
        assert state == SavedState(7, b"posterior", seq, 3)
        lessons, last = outcome_store.missed_lessons(seq, [""])
        assert lessons == [
            Lesson("small", basis_bytes(BASIS), -0.5, 0.5, AT_S + 2),
            Lesson("small", basis_bytes(BASIS), 0.5, 1.0, AT_S + 3),
        ]
        outcome_store.save_state(SavedState(8, b"newer", last, 3), AT_S)
        assert outcome_store.missed_lessons(last, [""]) == ([], last)
        assert n_rows(outcome_store, "nf_redo") == 0

    def test_numbers_of_the_redo_log_are_never_given_twice(self, outcome_store: OutcomeStore) -> None:
        first = outcome_store.add([new(1, 0.0)])
        outcome_store.save_state(SavedState(1, b"", first, 0), AT_S)

        assert outcome_store.add([new(2, 0.0)]) > first

    def test_a_fit_comes_with_its_empty_posterior_and_ends_the_old_lessons(self, outcome_store: OutcomeStore) -> None:
        seq = outcome_store.add([new(1, 0.0)])
        outcome_store.save_fit(AppliedFit("one", 5), b"first", SavedState(5, b"a", seq, 0), AT_S)
        outcome_store.save_fit(AppliedFit("two", 9), b"second", SavedState(9, b"b", seq, 0), AT_S)

        assert outcome_store.applied_fits() == (AppliedFit("one", 5), AppliedFit("two", 9))
        assert outcome_store.fit_content() == b"second"
        assert n_rows(outcome_store, "nf_fits WHERE content IS NOT NULL") == 1
        assert outcome_store.standing_lessons([""]) == []
        assert outcome_store.load_state() == SavedState(9, b"b", seq, 0)

    def test_standing_lessons_are_in_order_of_time(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(2, 0.0), new(1, 0.0), new(3)])

        assert [one.at_s for one in outcome_store.standing_lessons([""])] == [AT_S + 1, AT_S + 2]
