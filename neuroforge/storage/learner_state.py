"""What the learner knows, kept so that neither its death nor the server's loses or doubles an outcome.

The posterior is saved now and then, with the number of the last redo entry that it contains; at the start the entries
after that number are applied again.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import func, select

from neuroforge.storage.engine import Database
from neuroforge.storage.schema import fits, learner, outcomes, redo


class SavedState(NamedTuple):
    """The row of nf_learner."""

    version: int
    online: bytes
    redo_seq: int
    n_dropped: int


class AppliedFit(NamedTuple):
    """A fitted router that was put into force."""

    fit_id: str
    first_version: int
    """Of the snapshots that carry it."""


class Lesson(NamedTuple):
    """One change of the posterior."""

    model_id: str
    basis: bytes
    residual: float
    weight: float
    at_s: float
    fit_id: str = ""
    """Whose basis it is."""


class SqlLearnerState:
    """Saved posterior, redo log, fitted routers."""

    database: Database

    def save_state(self, state: SavedState, at_s: float) -> None:
        """Replace the saved posterior and forget the redo entries that it contains, in one transaction."""
        values = {**state._asdict(), "saved_at_s": at_s}
        with self.database.write() as connection:
            if connection.execute(learner.update().values(values)).rowcount == 0:
                connection.execute(learner.insert().values(id=1, **values))
            connection.execute(redo.delete().where(redo.c.seq <= state.redo_seq))

    def load_state(self) -> SavedState | None:
        """Return what was saved last; None = nothing ever was."""
        with self.database.read() as connection:
            row = connection.execute(select(learner)).one_or_none()
        return None if row is None else SavedState(row.version, row.online, row.redo_seq, row.n_dropped)

    def missed_lessons(self, after_seq: int, fit_ids: Collection[str]) -> tuple[list[Lesson], int]:
        """Return what was learned after the last save on these bases, in order, and the redo log's last number."""
        with self.database.read() as connection:
            last = connection.scalar(select(func.max(redo.c.seq))) or 0
            rows = connection.execute(
                select(
                    outcomes.c.model_id, outcomes.c.basis, outcomes.c.base_quality, redo.c.score, redo.c.weight,
                    redo.c.at_s, outcomes.c.fit_id,
                )
                .join(outcomes, outcomes.c.decision_id == redo.c.decision_id)
                .where(redo.c.seq > after_seq, outcomes.c.fit_id.in_(fit_ids), outcomes.c.basis.is_not(None))
                .order_by(redo.c.seq)
            ).all()  # fmt: skip
        lessons = [
            Lesson(row.model_id, row.basis, row.score - row.base_quality, row.weight, row.at_s, row.fit_id)
            for row in rows
        ]
        return lessons, max(int(last), after_seq)

    def standing_lessons(self, fit_ids: Collection[str]) -> list[Lesson]:
        """Return all that stands in the posterior and is still kept, oldest first: after a purge it is learned anew."""
        query = (
            select(
                outcomes.c.model_id, outcomes.c.basis, outcomes.c.base_quality, outcomes.c.score,
                outcomes.c.learned_weight, outcomes.c.at_s, outcomes.c.fit_id,
            )
            .where(outcomes.c.score.is_not(None), outcomes.c.learned_weight.is_not(None))
            .where(outcomes.c.fit_id.in_(fit_ids), outcomes.c.basis.is_not(None))
            .order_by(outcomes.c.at_s, outcomes.c.seq)
        )  # fmt: skip
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Lesson(row.model_id, row.basis, row.score - row.base_quality, row.learned_weight, row.at_s, row.fit_id)
            for row in rows
        ]

    def save_fit(
        self, fit: AppliedFit, content: bytes | None, state: SavedState, at_s: float, keeps_lessons: bool = False
    ) -> None:
        """Put a fit into force together with the posterior that belongs to it; earlier ones keep their name only.

        Args:
            content: None = no fit from now on.
            keeps_lessons: What was learned before stands in the new posterior too.
        """
        with self.database.write() as connection:
            connection.execute(fits.update().values(content=None))
            connection.execute(fits.insert().values(**fit._asdict(), applied_at_s=at_s, content=content))
            values = {**state._asdict(), "saved_at_s": at_s}
            if connection.execute(learner.update().values(values)).rowcount == 0:
                connection.execute(learner.insert().values(id=1, **values))
            connection.execute(redo.delete())
            if not keeps_lessons:  # what was learned on another basis stands nowhere any more
                connection.execute(
                    outcomes.update().where(outcomes.c.learned_weight.is_not(None)).values(learned_weight=None)
                )

    def applied_fits(self) -> tuple[AppliedFit, ...]:
        """Return every fit that was in force, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(select(fits.c.fit_id, fits.c.first_version).order_by(fits.c.seq)).all()
        return tuple(AppliedFit(row.fit_id, row.first_version) for row in rows)

    def fit_content(self) -> bytes | None:
        """Return the fit in force; None = none was applied."""
        with self.database.read() as connection:
            content: bytes | None = connection.scalar(select(fits.c.content).order_by(fits.c.seq.desc()).limit(1))
        return content
