"""What is kept of requests as a whole: counted, exported, deleted to the last byte that we wrote."""

import os
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, delete, func, select, true

from neuroforge.contracts.outcomes import DataSummary, RecordLevel
from neuroforge.errors import RequestError
from neuroforge.storage.engine import Database
from neuroforge.storage.outcome_parquet import ExportWriter, filter_export, is_export
from neuroforge.storage.schema import exports, feedback, learner, live_test_units, outcomes, redo

TABLES = ("nf_outcomes", "nf_feedback", "nf_redo", "nf_live_test_units")
"""Those with rows of single requests."""
_ROWS_AT_ONCE = 2_000


class SqlOutcomeData:
    """Summary, export, purge, retention."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._files = threading.Lock()
        """No purge while an export is written: it would miss the rows that are already read."""

    def summary(self, level: RecordLevel, retention_s: float) -> DataSummary:
        """Count everything, and name each place that holds something."""
        columns = outcomes.c
        totals = select(
            func.count(), func.count(columns.embedding), func.count(columns.prompt), func.min(columns.at_s),
            func.max(columns.at_s),
        )  # fmt: skip
        with self.database.read() as connection:
            n_outcomes, n_embeddings, n_texts, oldest_s, newest_s = connection.execute(totals).one()
            n_feedback = connection.scalar(select(func.count()).select_from(feedback)) or 0
            paths = list(connection.scalars(select(exports.c.path).order_by(exports.c.path)))
        held = [self.database.label] if n_outcomes or n_feedback else []
        kept = [path for path in paths if is_export(Path(path))]
        return DataSummary(
            record=level,
            retention_days=retention_s / 86400.0,
            n_outcomes=n_outcomes,
            n_feedback=n_feedback,
            n_embeddings=n_embeddings,
            n_texts=n_texts,
            oldest_s=oldest_s,
            newest_s=newest_s,
            bytes_on_disk=self._bytes_on_disk() + sum(Path(path).stat().st_size for path in kept),
            places=(*held, *kept),
        )

    def export(self, path: Path, after_seq: int, at_s: float, for_fit: bool = False) -> int:
        """Write the outcomes after this number as Parquet; the file is there whole or not at all. Returns the rows.

        Args:
            path: Absolute, ends in .parquet.
            after_seq: 0 = all.
            at_s: Unix time, now.
            for_fit: Only outcomes with a text and a score.
        Raises:
            RequestError: No absolute path to a `.parquet` file, no such directory, or another's file is there.
        """
        _check_target(path)
        with self._files:
            return self._write_export(path, after_seq, at_s, for_fit)

    def _write_export(self, path: Path, after_seq: int, at_s: float, for_fit: bool) -> int:
        self._note_export(path, at_s, 0)  # before the file exists, so that no purge can miss it
        try:
            with ExportWriter(path) as writer:
                seq = after_seq
                while rows := self._rows_after(seq, for_fit):
                    writer.write(rows)
                    seq = rows[-1].seq
        except OSError as error:
            raise RequestError(f"{path}: cannot be written: {error.strerror or error}", param="path") from error
        self._note_export(path, at_s, writer.n_rows)
        return writer.n_rows

    def purge(self, actor: str | None, before_s: float | None) -> int:
        """Delete outcomes with all that hangs on them, here and in our exports, and give the bytes back.

        The saved posterior goes as well: the learner makes it anew of what is left.

        Args:
            actor: Only this caller's; None = everyone's.
            before_s: Only those that ended before this Unix time; None = all.
        Returns:
            How many outcomes went.
        """
        with self._files:
            n_outcomes = self._delete(actor, before_s, forget=True)
            for path in self._export_paths():
                if not filter_export(path, actor, before_s):
                    self._forget_export(path)
            self._overwrite()
        return n_outcomes

    def expire(self, before_s: float) -> int:
        """Delete what is older than the retention; exports are purged by operators only."""
        with self.database.read() as connection:
            oldest_s = connection.scalar(select(func.min(outcomes.c.at_s)))
        if oldest_s is None or oldest_s >= before_s:
            return 0
        n_outcomes = self._delete(None, before_s, forget=False)
        if n_outcomes:
            self._truncate_log()
        return n_outcomes

    def _delete(self, actor: str | None, before_s: float | None, forget: bool) -> int:
        columns = outcomes.c
        wanted = _chosen(outcomes, actor, before_s)
        ids = select(columns.decision_id).where(and_(*wanted))
        with self.database.write() as connection:
            for table in (feedback, redo):
                connection.execute(delete(table).where(table.c.decision_id.in_(ids)))
            n_outcomes = connection.execute(delete(outcomes).where(and_(*wanted))).rowcount
            connection.execute(delete(live_test_units).where(*_chosen(live_test_units, actor, before_s)))
            if actor is None:  # what lost its outcome
                orphans: list[ColumnElement[bool]] = [feedback.c.decision_id.not_in(select(columns.decision_id))]
                orphans += [] if before_s is None else [feedback.c.at_s < before_s]
                connection.execute(delete(feedback).where(and_(*orphans)))
            if forget:  # an empty posterior is learned anew from what is left, even if this process dies now
                connection.execute(learner.update().values(online=b""))
        return n_outcomes

    def _rows_after(self, seq: int, for_fit: bool) -> list[Row[Any]]:
        is_wanted = and_(outcomes.c.prompt != "", outcomes.c.score.is_not(None)) if for_fit else true()
        query = (
            select(outcomes, *_STATED)
            .outerjoin(_NEWEST, _NEWEST.c.decision_id == outcomes.c.decision_id)
            .outerjoin(feedback, feedback.c.seq == _NEWEST.c.seq)
            .where(outcomes.c.seq > seq, is_wanted)
            .order_by(outcomes.c.seq)
            .limit(_ROWS_AT_ONCE)
        )
        with self.database.read() as connection:
            return list(connection.execute(query).all())

    def _note_export(self, path: Path, at_s: float, n_rows: int) -> None:
        with self.database.write() as connection:
            connection.execute(delete(exports).where(exports.c.path == str(path)))
            connection.execute(exports.insert().values(path=str(path), at_s=at_s, n_rows=n_rows))

    def _forget_export(self, path: Path) -> None:
        with self.database.write() as connection:
            connection.execute(delete(exports).where(exports.c.path == str(path)))

    def _export_paths(self) -> list[Path]:
        with self.database.read() as connection:
            return [Path(path) for path in connection.scalars(select(exports.c.path))]

    def _overwrite(self) -> None:
        """Leave no byte of deleted rows in our files: SQLite rewrites the file and empties its log; as PostgreSQL."""
        if self.database.is_postgresql:
            self.database.execute_alone(f"VACUUM (FULL) {', '.join(TABLES)}")
            return
        self.database.execute_alone("VACUUM")
        self._truncate_log()

    def _truncate_log(self) -> None:
        if not self.database.is_postgresql:
            self.database.execute_alone("PRAGMA wal_checkpoint(TRUNCATE)")

    def _bytes_on_disk(self) -> int:
        if self.database.is_postgresql:
            sizes = [func.pg_total_relation_size(name) for name in TABLES]
            with self.database.read() as connection:
                return sum(connection.execute(select(*sizes)).one())
        path = Path(self.database.label)
        found = (path, path.with_name(f"{path.name}-wal"))
        return sum(one.stat().st_size for one in found if one.exists())


_NEWEST = (
    select(feedback.c.decision_id, func.max(feedback.c.seq).label("seq")).group_by(feedback.c.decision_id).subquery()
)
_STATED = (feedback.c.preferred_answer, feedback.c.comment)


def _chosen(table: Table, actor: str | None, before_s: float | None) -> list[ColumnElement[bool]]:
    """Rows of this caller and of this age; with neither, all."""
    conditions: list[ColumnElement[bool]] = [true()]
    conditions += [table.c.actor == actor] if actor is not None else []
    conditions += [table.c.at_s < before_s] if before_s is not None else []
    return conditions


def _check_target(path: Path) -> None:
    if not path.is_absolute() or path.suffix != ".parquet":
        raise RequestError(f"{path}: give an absolute path that ends in .parquet", param="path")
    if not path.parent.is_dir():
        raise RequestError(f"{path}: there is no directory {path.parent} on the head node", param="path")
    if os.path.lexists(path) and not is_export(path):
        raise RequestError(f"{path}: another file is there, which is not one of our exports", param="path")
