"""Routing rules at rest: rows are never deleted, so each version can be explained and put in force again."""

from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select

from neuroforge.contracts.rules import RulesEntry, RulesState
from neuroforge.errors import ConflictError, NotFound, StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import rules, rules_head


class SqlRulesTable:
    """`RulesTable` (neuroforge.router.rulebook) on SQL; safe to use from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def list_entries(self) -> tuple[RulesEntry, ...]:
        """Newest proposal first.

        Raises:
            StorageError: A row is not a RulesEntry of this version.
        """
        with self.database.read() as connection:
            rows = connection.execute(select(rules).order_by(rules.c.seq.desc())).all()
        return tuple(self._entry(row) for row in rows)

    def find(self, proposal_id: str) -> RulesEntry:
        """Raises NotFound."""
        with self.database.read() as connection:
            return self._entry(_row(connection, proposal_id))

    def find_in_force(self) -> RulesEntry | None:
        """The entry whose rules count now; None = no rules were ever applied."""
        with self.database.read() as connection:
            return self._in_force(connection, _head_version(connection))

    def add(self, entry: RulesEntry) -> None:
        """Keep a proposal that is not in force."""
        with self.database.write() as connection:
            connection.execute(rules.insert().values(_columns(entry)))

    def replace(self, entry: RulesEntry, expected: tuple[RulesState, ...]) -> None:
        """Change what is known of a proposal.

        Raises:
            NotFound: No such proposal.
            ConflictError: Its state is none of `expected` any more; nothing was changed.
        """
        with self.database.write() as connection:
            # The state is part of the condition, so of two that replace at once the second finds the first's state.
            condition = (rules.c.proposal_id == entry.proposal_id) & rules.c.state.in_(expected)
            if connection.execute(rules.update().where(condition).values(_columns(entry))).rowcount == 1:
                return
            state = _row(connection, entry.proposal_id).state
        raise ConflictError(
            f"proposal {entry.proposal_id} is {state}; to become {entry.state} it must be {' or '.join(expected)}"
        )

    def put_in_force(self, entry: RulesEntry, base_version: int | None) -> RulesEntry:
        """Give the entry the next version and make it the one that counts, all or nothing.

        Args:
            entry: Known or new, with state `applied`, its time, and the note for the entry that it takes over from.
            base_version: What must be in force now; None = whatever is.
        Raises:
            ConflictError: Another version is in force, or the proposal was applied before.
        """
        with self.database.write() as connection:
            version = _head_version(connection, for_update=True)
            if base_version is not None and version != base_version:
                raise ConflictError(
                    f"version {version} is in force, but the proposal was compared with version {base_version}; "
                    f"propose it again, or force it"
                )
            known = connection.execute(select(rules).where(rules.c.proposal_id == entry.proposal_id)).one_or_none()
            if known is not None and known.version is not None:
                raise ConflictError(f"proposal {entry.proposal_id} was applied before, as version {known.version}")
            self._retire(connection, version, entry)
            applied = with_changes(entry, rules=entry.rules.model_dump() | {"version": version + 1})
            values = _columns(applied)
            if known is None:
                connection.execute(rules.insert().values(values))
            else:
                connection.execute(rules.update().where(rules.c.seq == known.seq).values(values))
            connection.execute(rules_head.update().values(version=version + 1))
        return applied

    def _retire(self, connection: Connection, version: int, successor: RulesEntry) -> None:
        former = self._in_force(connection, version)
        if former is None:
            return
        is_rollback = successor.restored_version is not None
        note = f"version {version + 1} took over: {successor.rules.reason}"
        retired = with_changes(former, state="rolled_back" if is_rollback else "superseded", note=note)
        connection.execute(rules.update().where(rules.c.version == version).values(_columns(retired)))

    def _in_force(self, connection: Connection, version: int) -> RulesEntry | None:
        if version == 0:
            return None
        row = connection.execute(select(rules).where(rules.c.version == version)).one_or_none()
        if row is None:
            raise StorageError(
                f"{self.database.label}: version {version} of the routing rules is in force, but its row is gone; "
                f"put a backup in place",
                database=self.database.label,
            )
        return self._entry(row)

    def _entry(self, row: Row[Any]) -> RulesEntry:
        try:
            return RulesEntry.model_validate_json(row.entry)
        except ValidationError as error:
            raise StorageError(
                f"{self.database.label}: stored rules {row.proposal_id!r} cannot be read: {error.errors()[0]['msg']}",
                database=self.database.label,
            ) from error


def with_changes(entry: RulesEntry, **changes: Any) -> RulesEntry:
    """A changed copy, validated."""
    return RulesEntry.model_validate({**entry.model_dump(), **changes})


def _columns(entry: RulesEntry) -> dict[str, Any]:
    return {
        "proposal_id": entry.proposal_id,
        "version": entry.rules.version or None,
        "state": entry.state,
        "entry": entry.model_dump_json(),
    }


def _row(connection: Connection, proposal_id: str) -> Row[Any]:
    row = connection.execute(select(rules).where(rules.c.proposal_id == proposal_id)).one_or_none()
    if row is None:
        raise NotFound(f"no rules were proposed as {proposal_id!r}; `neuroforge router rules list` shows what exists")
    return row


def _head_version(connection: Connection, for_update: bool = False) -> int:
    query = select(rules_head.c.version)
    version = connection.execute(query.with_for_update() if for_update else query).scalar_one_or_none()
    if version is None:
        raise StorageError("the row that says which routing rules are in force is gone; put a backup in place")
    return int(version)
