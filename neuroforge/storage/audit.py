"""The audit log: append-only by triggers, each record chained to the one before it by SHA-256.

What `verify` finds: a record that was changed, removed or put in between, and records cut off the end (the head row
says how long the log is). What it cannot find alone: whoever may drop triggers may also rewrite the whole chain and the
head consistently. Against that, note `head()` down elsewhere now and then and hand it to `verify` as the anchor.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select

from neuroforge.contracts.keys import AuditEvent, AuditHead, AuditRecord, AuditVerdict
from neuroforge.errors import StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import audit, audit_head

GENESIS_HASH = "0" * 64
"""What the first record is chained to."""
_ROWS_AT_ONCE = 1000


def canonical_json(event: AuditEvent) -> str:
    """All fields, keys sorted, no spaces, ASCII: the same text from any JSON library that can sort keys.

    The standard library's encoder, because orjson refuses whole numbers beyond 64 bits, and one such event would keep
    its whole batch out of the log.
    """
    return json.dumps(event.model_dump(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def chain_hash(previous_hash: str, event_json: str) -> str:
    """SHA-256 over the 64 characters of the previous hash followed by the event's canonical JSON, as hex."""
    return hashlib.sha256((previous_hash + event_json).encode()).hexdigest()


class SqlAuditLog:
    """`AuditLog` on SQL."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Add in this order, all or none; writers at the same time wait for each other.

        Raises:
            StorageError: The database refused; nothing was added.
        """
        if not events:
            return
        texts = [canonical_json(event) for event in events]
        with self.database.write() as connection:
            head = _head(connection, for_update=True)
            rows: list[dict[str, Any]] = []
            for seq, text in enumerate(texts, start=head.seq + 1):
                previous_hash = rows[-1]["hash"] if rows else head.hash
                rows.append(
                    {"seq": seq, "event": text, "previous_hash": previous_hash, "hash": chain_hash(previous_hash, text)}
                )
            connection.execute(audit.insert(), rows)
            connection.execute(audit_head.update().values(seq=rows[-1]["seq"], hash=rows[-1]["hash"]))

    def tail(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """The last `limit` records after `after_seq`, oldest first; none for a limit below 1.

        Raises:
            StorageError: A record is not readable (somebody changed it).
        """
        newest = select(audit).where(audit.c.seq > after_seq).order_by(audit.c.seq.desc()).limit(max(limit, 0))
        with self.database.read() as connection:
            rows = connection.execute(newest).all()
        return tuple(self._record(row) for row in reversed(rows))

    def head(self) -> AuditHead:
        """Length and last hash: an anchor for a later `verify`, if kept where this database's owner cannot write."""
        with self.database.read() as connection:
            return _head(connection)

    def verify(self, anchor: AuditHead | None = None) -> AuditVerdict:
        """Walk the whole chain as it stands now, in constant memory.

        Args:
            anchor: A head that was noted down earlier; the log must still contain it.
        """
        with self.database.read() as connection:
            head = _head_or_none(connection)
            walk = _Walk(anchor)
            ordered = select(audit).order_by(audit.c.seq)
            with connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(ordered) as rows:
                for row in rows:
                    if problem := walk.step(row):
                        return problem
            return walk.end(head)

    def _record(self, row: Row[Any]) -> AuditRecord:
        try:
            event = AuditEvent.model_validate_json(row.event)
            return AuditRecord(seq=row.seq, event=event, previous_hash=row.previous_hash, hash=row.hash)
        except ValidationError as error:
            raise StorageError(
                f"{self.database.label}: audit record {row.seq} cannot be read; run `neuroforge audit verify`",
                database=self.database.label,
            ) from error


class _Walk:
    """One pass over the chain: what was seen so far."""

    def __init__(self, anchor: AuditHead | None) -> None:
        self._anchor = anchor
        self._n_records = 0
        self._last_hash = GENESIS_HASH

    def step(self, row: Row[Any]) -> AuditVerdict | None:
        """Check the next record; a verdict only if it is bad."""
        seq = self._n_records + 1
        if row.seq != seq:
            return self._bad(f"record {seq} is missing: {row.seq} follows {self._n_records}")
        if row.previous_hash != self._last_hash:
            return self._bad("it is not chained to the record before it")
        if not isinstance(row.event, str) or chain_hash(row.previous_hash, row.event) != row.hash:
            return self._bad("its event does not match its hash")
        if self._anchor is not None and self._anchor.seq == seq and self._anchor.hash != row.hash:
            return self._bad("its hash is not the anchor's: the log was rewritten up to here")
        self._n_records, self._last_hash = seq, row.hash
        return None

    def end(self, head: AuditHead | None) -> AuditVerdict:
        """Compare the end with what the head row and the anchor say it must be."""
        if head is None:
            return self._bad("the head row is gone, so records may be missing after this point")
        if head.seq > self._n_records:
            return self._bad(f"the log ends before its head, {head.seq}: records were cut off")
        if head.seq < self._n_records:
            return self._bad(f"the head row ends at {head.seq}: what follows was added aside", seq=head.seq + 1)
        if head.hash != self._last_hash:
            return self._bad("the head row has another hash than the last record", seq=max(self._n_records, 1))
        if self._anchor is not None and self._anchor.seq > self._n_records:
            return self._bad(f"the log ends before the anchor, {self._anchor.seq}: records were cut off")
        return AuditVerdict(n_records=self._n_records, is_intact=True, head=head)

    def _bad(self, reason: str, seq: int | None = None) -> AuditVerdict:
        return AuditVerdict(
            n_records=self._n_records, is_intact=False, first_bad_seq=seq or self._n_records + 1, reason=reason
        )


def _head_or_none(connection: Connection, for_update: bool = False) -> AuditHead | None:
    query = select(audit_head.c.seq, audit_head.c.hash)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else AuditHead(seq=row.seq, hash=row.hash)


def _head(connection: Connection, for_update: bool = False) -> AuditHead:
    head = _head_or_none(connection, for_update)
    if head is None:
        raise StorageError("the audit log's head row is gone; run `neuroforge audit verify`")
    return head
