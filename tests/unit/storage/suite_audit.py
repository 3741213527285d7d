"""Facts about the audit log that hold on every database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroforge.contracts.keys import AuditEvent, AuditHead
from neuroforge.errors import StorageError
from neuroforge.storage.audit import GENESIS_HASH, canonical_json, chain_hash
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, event, execute, tamper

TEXTS = st.text(max_size=50)
DETAILS = st.dictionaries(
    TEXTS,
    TEXTS | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    max_size=6,
)
EVENTS = st.builds(
    AuditEvent,
    at_s=st.floats(allow_nan=False, allow_infinity=False),
    actor=TEXTS,
    action=TEXTS,
    target=st.none() | TEXTS,
    request_id=st.none() | TEXTS,
    status=st.integers(),
    detail=DETAILS,
)


class TestAppend:
    def test_records_are_chained_from_the_genesis_hash(self, store: SqlStore) -> None:
        events = (event(1), event(2))
        store.append(events)

        first, second = store.tail(10)

        assert (first.seq, first.event, first.previous_hash) == (1, events[0], GENESIS_HASH)
        assert (second.seq, second.event, second.previous_hash) == (2, events[1], first.hash)
        assert second.hash == chain_hash(first.hash, canonical_json(events[1]))

    def test_an_empty_batch_adds_nothing(self, store: SqlStore) -> None:
        store.append(())

        assert store.head() == AuditHead(seq=0, hash=GENESIS_HASH)

    def test_log_goes_on_after_a_restart(self, target: Target) -> None:
        first = target.open()
        first.append((event(1),))
        first.close()
        store = target.open()
        store.append((event(2),))

        assert [record.event.request_id for record in store.tail(10)] == ["req-1", "req-2"]
        assert store.verify().is_intact

    def test_threads_and_stores_that_append_together_keep_one_chain(self, target: Target) -> None:
        stores = [target.open() for _ in range(3)]

        def append(number: int) -> None:
            stores[number % 3].append((event(number), event(number)))

        with ThreadPoolExecutor(max_workers=6) as pool:
            list(pool.map(append, range(30)))

        verdict = stores[0].verify()
        assert (verdict.is_intact, verdict.n_records) == (True, 60)
        ids = [record.event.request_id for record in stores[0].tail(60)]
        assert ids[::2] == ids[1::2]
        assert set(ids) == {f"req-{number}" for number in range(30)}

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(events=st.lists(EVENTS, min_size=1, max_size=3))
    def test_any_event_reads_back_equal_and_verifies(self, store: SqlStore, events: list[AuditEvent]) -> None:
        store.append(tuple(events))

        assert [record.event for record in store.tail(len(events))] == events
        assert store.verify().is_intact


class TestTail:
    def test_gives_the_newest_oldest_first(self, store: SqlStore) -> None:
        store.append(tuple(event(number) for number in range(1, 6)))

        assert [record.seq for record in store.tail(2)] == [4, 5]

    def test_gives_only_what_came_after(self, store: SqlStore) -> None:
        store.append(tuple(event(number) for number in range(1, 6)))

        assert [record.seq for record in store.tail(10, after_seq=3)] == [4, 5]

    @pytest.mark.parametrize("limit", [0, -1])
    def test_gives_nothing_below_one(self, store: SqlStore, limit: int) -> None:
        store.append((event(),))

        assert store.tail(limit) == ()

    def test_unreadable_record_is_named(self, store: SqlStore) -> None:
        store.append((event(),))
        tamper(store.database, "UPDATE nf_audit SET event = '{}'")

        with pytest.raises(StorageError, match="record 1 cannot be read"):
            store.tail(1)


REFUSED = [
    "UPDATE nf_audit SET event = '{}' WHERE seq = 2",
    "UPDATE nf_audit SET event = '{}' WHERE seq = 99 OR seq = 1",
    "DELETE FROM nf_audit",
    "DELETE FROM nf_audit WHERE seq = 3",
    "INSERT INTO nf_audit (seq, event, previous_hash, hash) VALUES (5, '{}', '', '')",
    "INSERT INTO nf_audit (seq, event, previous_hash, hash) VALUES (2, '{}', '', '') "
    "ON CONFLICT (seq) DO UPDATE SET event = '{}'",
    "UPDATE nf_audit_head SET seq = 2",
    "UPDATE nf_audit_head SET hash = 'x'",
    "UPDATE nf_audit_head SET seq = 4",
    "DELETE FROM nf_audit_head",
    "INSERT INTO nf_audit_head (id, seq, hash) VALUES (2, 0, '')",
]


class TestTriggers:
    @pytest.mark.parametrize("statement", REFUSED)
    def test_refuse(self, store: SqlStore, statement: str) -> None:
        store.append((event(1), event(2), event(3)))

        with pytest.raises(StorageError, match=r"refused"):
            execute(store.database, statement)
        assert store.verify().n_records == 3


REHASHED = chain_hash(chain_hash(GENESIS_HASH, "{}"), "{}")
TAMPERED = [
    (["UPDATE nf_audit SET event = '{}' WHERE seq = 2"], 2, "event does not match its hash"),
    (["UPDATE nf_audit SET hash = 'x' WHERE seq = 2"], 2, "event does not match its hash"),
    (["UPDATE nf_audit SET previous_hash = 'x' WHERE seq = 2"], 2, "not chained"),
    (["DELETE FROM nf_audit WHERE seq = 1"], 1, "record 1 is missing: 2 follows 0"),
    (["DELETE FROM nf_audit WHERE seq = 2"], 2, "record 2 is missing: 3 follows 1"),
    (["DELETE FROM nf_audit WHERE seq = 2", "UPDATE nf_audit SET seq = 2 WHERE seq = 3"], 2, "not chained"),
    (["DELETE FROM nf_audit WHERE seq = 3"], 3, "ends before its head, 3"),
    (["DELETE FROM nf_audit"], 1, "ends before its head, 3"),
    (["DELETE FROM nf_audit_head"], 4, "head row is gone"),
    (["UPDATE nf_audit_head SET seq = 1"], 2, "added aside"),
    (["UPDATE nf_audit_head SET hash = 'x'"], 3, "another hash than the last record"),
    (["UPDATE nf_audit SET seq = 0 WHERE seq = 1"], 1, "record 1 is missing: 0 follows 0"),
]


class TestVerify:
    def test_an_empty_log_is_intact(self, store: SqlStore) -> None:
        verdict = store.verify()

        assert (verdict.is_intact, verdict.n_records, verdict.head) == (True, 0, store.head())

    def test_an_untouched_log_is_intact_and_tells_its_head(self, store: SqlStore) -> None:
        store.append((event(1), event(2)))

        verdict = store.verify()

        assert (verdict.is_intact, verdict.n_records, verdict.head) == (True, 2, store.head())

    @pytest.mark.parametrize(("statements", "seq", "reason"), TAMPERED)
    def test_names_the_first_bad_record(self, store: SqlStore, statements: list[str], seq: int, reason: str) -> None:
        store.append((event(1), event(2), event(3)))
        tamper(store.database, *statements)

        verdict = store.verify()

        assert (verdict.is_intact, verdict.first_bad_seq) == (False, seq)
        assert reason in str(verdict.reason)

    def test_a_cut_with_a_forged_head_is_found_by_the_anchor_only(self, store: SqlStore) -> None:
        store.append((event(1), event(2), event(3)))
        anchor = store.head()
        hash_2 = store.tail(10)[1].hash
        tamper(
            store.database,
            "DELETE FROM nf_audit WHERE seq = 3",
            f"UPDATE nf_audit_head SET seq = 2, hash = '{hash_2}'",
        )

        assert store.verify().is_intact
        assert store.verify(anchor).reason == "the log ends before the anchor, 3: records were cut off"

    def test_a_rewritten_chain_is_found_by_the_anchor_only(self, store: SqlStore) -> None:
        store.append((event(1), event(2)))
        anchor = store.head()
        first_hash = chain_hash(GENESIS_HASH, "{}")
        tamper(
            store.database,
            f"UPDATE nf_audit SET event = '{{}}', hash = '{first_hash}' WHERE seq = 1",
            f"UPDATE nf_audit SET event = '{{}}', previous_hash = '{first_hash}', hash = '{REHASHED}' WHERE seq = 2",
            f"UPDATE nf_audit_head SET hash = '{REHASHED}'",
        )

        assert store.verify().is_intact
        verdict = store.verify(anchor)
        assert (verdict.is_intact, verdict.first_bad_seq) == (False, 2)

    def test_an_older_head_still_anchors_a_longer_log(self, store: SqlStore) -> None:
        store.append((event(1),))
        anchor = store.head()
        store.append((event(2),))

        assert store.verify(anchor).is_intact

    def test_appending_after_the_head_row_is_gone_is_refused(self, store: SqlStore) -> None:
        tamper(store.database, "DELETE FROM nf_audit_head")

        with pytest.raises(StorageError, match="head row is gone"):
            store.append((event(),))
