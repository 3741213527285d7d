"""Outcomes and feedback on SQL, SQLite in a file of its own or PostgreSQL; one writer."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from neuroforge.contracts.outcomes import FeedbackStatus, OutcomeRecord, ScoreSource
from neuroforge.contracts.routing import Decision
from neuroforge.storage.engine import Database, open_database
from neuroforge.storage.learner_state import SqlLearnerState
from neuroforge.storage.migrate import migrate
from neuroforge.storage.outcome_data import SqlOutcomeData
from neuroforge.storage.outcome_rows import OutcomeRow, record_of, storable_text
from neuroforge.storage.schema import feedback, outcomes, redo

_IDS_AT_ONCE = 500
"""SQLite of older builds takes 999 values a statement."""


class Scored(NamedTuple):
    """What the router is measured by."""

    decision: Decision
    score: float
    at_s: float
    is_rated: bool
    """By feedback; else it is a failure."""


class NewOutcome(NamedTuple):
    """A row with what the learner says of it."""

    row: OutcomeRow
    fit_id: str
    score: float | None
    learned_weight: float | None
    """None = the score does not go into the posterior."""


class Learned(NamedTuple):
    """One change of the posterior, as the redo log keeps it."""

    decision_id: str
    score: float
    weight: float
    at_s: float


class Held(NamedTuple):
    """What feedback needs of an outcome."""

    record: OutcomeRecord
    fit_id: str
    learned_weight: float | None


class Statement(NamedTuple):
    """One piece of feedback that is kept."""

    decision_id: str
    at_s: float
    score: float
    status: FeedbackStatus
    preferred_answer: str | None
    comment: str | None


class Counts(NamedTuple):
    """What is kept now."""

    n_outcomes: int
    n_scored: int
    n_rated: int
    """Scored by feedback."""
    n_by_model: dict[str, int]

    def plus(self, new: "Sequence[NewOutcome]") -> "Counts":
        """Return the counts with these outcomes."""
        n_by_model = dict(self.n_by_model)
        for one in new:
            n_by_model[one.row.model_id] = n_by_model.get(one.row.model_id, 0) + 1
        n_scored = sum(one.score is not None for one in new)
        return Counts(self.n_outcomes + len(new), self.n_scored + n_scored, self.n_rated, n_by_model)

    def rated(self, score: float | None, source: ScoreSource | None) -> "Counts":
        """Return the counts after feedback on an outcome that had this score."""
        n_scored, n_rated = self.n_scored + (score is None), self.n_rated + (source != "explicit")
        return Counts(self.n_outcomes, n_scored, n_rated, self.n_by_model)


class SqlOutcomes:
    """Outcomes by decision id, and the feedback on them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def known_ids(self, decision_ids: Sequence[str]) -> set[str]:
        """Return those that are stored already: a report may come twice."""
        found: set[str] = set()
        with self.database.read() as connection:
            for start in range(0, len(decision_ids), _IDS_AT_ONCE):
                some = decision_ids[start : start + _IDS_AT_ONCE]
                found.update(connection.scalars(select(outcomes.c.decision_id).where(outcomes.c.decision_id.in_(some))))
        return found

    def add(self, new: Sequence[NewOutcome]) -> int:
        """Store outcomes that are not known, and note in the redo log what of them is learned; all or nothing.

        Returns:
            The redo log's last number.
        """
        changes = [
            Learned(one.row.decision_id, one.score, one.learned_weight, one.row.at_s)
            for one in new
            if one.score is not None and one.learned_weight is not None
        ]
        with self.database.write() as connection:
            if new:
                connection.execute(outcomes.insert(), [_values(one) for one in new])
            return _log(connection, changes)

    def find(self, decision_id: str) -> Held | None:
        """Return the outcome, or None."""
        if storable_text(decision_id) != decision_id:
            return None  # no database would take it even as a question
        with self.database.read() as connection:
            row = connection.execute(select(outcomes).where(outcomes.c.decision_id == decision_id)).one_or_none()
        if row is None:
            return None
        return Held(record_of(row, self.database.label), row.fit_id, row.learned_weight)

    def last_statement(self, decision_id: str) -> Statement | None:
        """Return the feedback that counts, or None."""
        newest = select(feedback).where(feedback.c.decision_id == decision_id).order_by(feedback.c.seq.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(newest).one_or_none()
        if row is None:
            return None
        return Statement(row.decision_id, row.at_s, row.score, row.status, row.preferred_answer, row.comment)

    def rate(self, statement: Statement, learned_weight: float | None, changes: Iterable[Learned]) -> int:
        """Keep the statement, let its score count for the outcome, log the changes; all or nothing.

        Returns:
            The redo log's last number.
        """
        source: ScoreSource = "explicit"
        with self.database.write() as connection:
            connection.execute(feedback.insert().values(statement._asdict()))
            connection.execute(
                outcomes.update()
                .where(outcomes.c.decision_id == statement.decision_id)
                .values(score=statement.score, score_source=source, learned_weight=learned_weight)
            )
            return _log(connection, list(changes))

    def read_scored(self, limit: int) -> list[Scored]:
        """Return the newest scored outcomes, oldest first."""
        newest = (
            select(outcomes.c.decision, outcomes.c.score, outcomes.c.at_s, outcomes.c.score_source)
            .where(outcomes.c.score.is_not(None))
            .order_by(outcomes.c.seq.desc())
            .limit(limit)
        )
        with self.database.read() as connection:
            rows = connection.execute(newest).all()
        return [
            Scored(Decision.model_validate_json(row.decision), row.score, row.at_s, row.score_source == "explicit")
            for row in reversed(rows)
        ]

    def counts(self) -> Counts:
        """Count what is kept."""
        is_rated = outcomes.c.score_source == "explicit"
        by_model = select(outcomes.c.model_id, func.count()).group_by(outcomes.c.model_id)
        scored = select(func.count(), func.count().filter(is_rated)).where(outcomes.c.score.is_not(None))
        with self.database.read() as connection:
            n_by_model: dict[str, int] = dict(connection.execute(by_model).all())  # type: ignore[arg-type]
            n_scored, n_rated = connection.execute(scored).one()
        return Counts(sum(n_by_model.values()), n_scored, n_rated, n_by_model)


def _values(new: NewOutcome) -> dict[str, object]:
    values = new.row._asdict()
    del values["router_version"], values["is_failure"]
    values["fit_id"], values["score"], values["learned_weight"] = new.fit_id, new.score, new.learned_weight
    values["score_source"] = None if new.score is None else "implicit"
    return values


def _log(connection: Connection, changes: Sequence[Learned]) -> int:
    if changes:
        connection.execute(redo.insert(), [one._asdict() for one in changes])
    return int(connection.scalar(select(func.coalesce(func.max(redo.c.seq), 0))) or 0)


class OutcomeStore(SqlOutcomes, SqlLearnerState, SqlOutcomeData):
    """Everything that the learner keeps, over one database; safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        SqlOutcomeData.__init__(self, database)

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()


def open_outcomes(url: str) -> OutcomeStore:
    """Open, and make the schema that of this version. Raises StorageError as `open_store`."""
    database = open_database(url)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return OutcomeStore(database)
