"""Facts about the exchange with gateway replicas that hold on every database."""

import pytest

from neuroforge.contracts.keys import AuditEvent, GatewayReport, KeySpec, KeyUsage
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptMessage, PromptRelease
from neuroforge.errors import StorageError
from neuroforge.storage.state import StateExchange
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, event, tamper

MINUTE = 16_666_666
"""Of the clock's start, 1,000,000,000 s."""


@pytest.fixture
def exchange(target: Target, store: SqlStore) -> StateExchange:
    return StateExchange(store, target.clock)


def report(replica_id: str, *usage: KeyUsage, audit: tuple[AuditEvent, ...] = ()) -> GatewayReport:
    return GatewayReport(replica_id=replica_id, audit=audit, usage=usage)


def used(n_requests: int, n_tokens: int = 0, minute: int = MINUTE) -> KeyUsage:
    return KeyUsage(key_id="k1", minute=minute, n_requests=n_requests, n_tokens=n_tokens)


class TestExchange:
    def test_events_reach_the_log(self, exchange: StateExchange) -> None:
        exchange.exchange(report("a", audit=(event(1), event(2))))

        assert [record.event for record in exchange.tail_audit(10)] == [event(1), event(2)]
        assert exchange.verify_audit().n_records == 2

    def test_prompts_are_handed_on_to_whoever_does_not_hold_the_newest(self, exchange: StateExchange) -> None:
        release = PromptRelease(name="p", messages=(PromptMessage(role="user", content="Hi"),), reason="first")
        exchange.promote_prompt("p", PromptPromotion(release=release))

        first = exchange.exchange(report("a")).prompts
        assert first is not None
        assert [one.name for one in first.releases] == ["p"]
        known = GatewayReport(replica_id="a", prompts_revision=first.revision)
        assert exchange.exchange(known).prompts is None

        exchange.promote_prompt("p", PromptPromotion(version=1, alias="staging"))
        newer = exchange.exchange(known).prompts
        assert newer is not None
        assert [one.alias for one in newer.aliases] == ["production", "staging"]

    def test_a_replica_sees_the_sum_of_the_others_only(self, exchange: StateExchange) -> None:
        exchange.exchange(report("a", used(1, 10)))
        exchange.exchange(report("b", used(2, 20)))

        assert exchange.exchange(report("c", used(4, 40))).usage_elsewhere == (used(3, 30),)

    def test_a_later_report_replaces_the_earlier_one(self, exchange: StateExchange) -> None:
        exchange.exchange(report("a", used(1)))
        exchange.exchange(report("a", used(5)))

        assert exchange.exchange(report("b")).usage_elsewhere == (used(5),)

    def test_the_previous_minute_counts_and_older_ones_are_forgotten(self, target: Target, store: SqlStore) -> None:
        exchange = StateExchange(store, target.clock)
        exchange.exchange(report("a", used(1, minute=MINUTE - 1), used(2), used(9, minute=MINUTE - 2)))

        assert exchange.exchange(report("b")).usage_elsewhere == (used(1, minute=MINUTE - 1), used(2))
        target.clock.now_s += 60
        assert exchange.exchange(report("b")).usage_elsewhere == (used(2),)
        target.clock.now_s += 60
        assert exchange.exchange(report("b")).usage_elsewhere == ()

    def test_a_created_key_is_in_the_next_answer_and_a_revoked_one_is_not(self, exchange: StateExchange) -> None:
        kept = exchange.create_key(KeySpec(name="kept")).key
        dropped = exchange.create_key(KeySpec(name="dropped")).key
        assert exchange.exchange(report("a")).keys == (kept, dropped)

        exchange.revoke_key(dropped.id)

        assert exchange.exchange(report("a")).keys == (kept,)
        assert [key.id for key in exchange.list_keys()] == [kept.id, dropped.id]

    def test_keys_changed_by_another_process_are_noticed(self, target: Target, exchange: StateExchange) -> None:
        exchange.exchange(report("a"))
        key = target.open().create_key(KeySpec(name="by the command line")).key

        assert exchange.exchange(report("a")).keys == (key,)

    def test_unchanged_keys_are_the_same_objects(self, exchange: StateExchange) -> None:
        exchange.create_key(KeySpec(name="laptop"))

        first, second = (exchange.exchange(report("a")).keys[0] for _ in range(2))

        assert first is second

    def test_a_report_that_cannot_be_logged_leaves_no_trace(self, store: SqlStore, exchange: StateExchange) -> None:
        tamper(store.database, "DELETE FROM nf_audit_head")

        with pytest.raises(StorageError):
            exchange.exchange(report("a", used(7), audit=(event(),)))
        assert exchange.exchange(report("b")).usage_elsewhere == ()
        assert exchange.tail_audit(10) == ()

    def test_a_noted_head_is_handed_on_as_anchor(self, store: SqlStore, exchange: StateExchange) -> None:
        exchange.exchange(report("a", audit=(event(),)))
        noted = exchange.verify_audit().head
        tamper(store.database, "DELETE FROM nf_audit", "UPDATE nf_audit_head SET seq = 0, hash = '" + "0" * 64 + "'")

        assert exchange.verify_audit().is_intact
        assert not exchange.verify_audit(noted).is_intact
