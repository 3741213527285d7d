"""Facts about keys that hold on every database; imported by the test modules of each kind."""

import hashlib
import re

import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import NotFound, StorageError
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, execute


class TestKeys:
    def test_secret_carries_id_and_256_random_bits(self, store: SqlStore) -> None:
        created = store.create_key(KeySpec(name="laptop"))

        assert re.fullmatch(r"nf-[a-z0-9]{10}-[A-Za-z0-9_-]{43}", created.secret)
        assert created.secret.split("-", 2)[1] == created.key.id

    def test_stored_hash_is_sha256_of_the_whole_secret(self, store: SqlStore) -> None:
        created = store.create_key(KeySpec(name="laptop"))

        assert store.list_keys()[0].secret_sha256 == hashlib.sha256(created.secret.encode()).hexdigest()

    def test_secret_is_not_in_any_row(self, store: SqlStore) -> None:
        secret = store.create_key(KeySpec(name="laptop")).secret

        assert secret.split("-", 2)[2] not in repr(execute(store.database, "SELECT * FROM nf_api_keys"))

    def test_key_survives_a_restart_unchanged(self, target: Target) -> None:
        spec = KeySpec(
            name='ключ "1"',
            scopes=frozenset({"admin", "inference"}),
            allowed_models=frozenset({"a", "b"}),
            requests_per_minute=3,
            tokens_per_minute=4,
        )
        first = target.open()
        created = first.create_key(spec)
        first.close()

        assert target.open().list_keys() == (created.key,)

    def test_oldest_key_comes_first_even_within_one_second(self, store: SqlStore) -> None:
        ids = [store.create_key(KeySpec(name=str(number))).key.id for number in range(5)]

        assert [key.id for key in store.list_keys()] == ids

    def test_revoked_key_stays_listed_with_its_time(self, target: Target) -> None:
        store = target.open()
        key = store.create_key(KeySpec(name="laptop")).key
        target.clock.now_s += 60

        revoked = store.revoke_key(key.id)

        assert revoked.revoked_at_s == key.created_at_s + 60
        assert store.list_keys() == (revoked,)

    def test_revoking_twice_keeps_the_first_time(self, target: Target) -> None:
        store = target.open()
        key_id = store.create_key(KeySpec(name="laptop")).key.id
        first = store.revoke_key(key_id)
        target.clock.now_s += 60

        assert store.revoke_key(key_id) == first

    def test_revoking_an_unknown_key_is_not_found(self, store: SqlStore) -> None:
        with pytest.raises(NotFound, match="'nosuchkey'"):
            store.revoke_key("nosuchkey")

    def test_revision_changes_with_each_creation_and_first_revocation(self, store: SqlStore) -> None:
        revisions = [store.key_revision()]
        key_id = store.create_key(KeySpec(name="laptop")).key.id
        revisions.append(store.key_revision())
        store.revoke_key(key_id)
        revisions.append(store.key_revision())
        store.revoke_key(key_id)

        assert len(set(revisions)) == 3
        assert store.key_revision() == revisions[-1]

    def test_unreadable_spec_is_named_without_its_hash(self, store: SqlStore) -> None:
        key = store.create_key(KeySpec(name="laptop")).key
        execute(store.database, "UPDATE nf_api_keys SET spec = '{}'")

        with pytest.raises(StorageError, match=key.id) as caught:
            store.list_keys()
        assert key.secret_sha256 not in str(caught.value)
