"""Keys and the audit log: through the running server, or in the database when none runs (docs/decisions/072)."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cluster.cli.shared import Shared
from neuroforge.contracts.keys import AuditEvent, AuditRecord, AuditVerdict, CreatedKey, KeySpec, KeyView

if TYPE_CHECKING:
    from neuroforge.contracts.keys import ApiKey
    from neuroforge.storage.store import SqlStore


class Desk(Protocol):
    """What the commands need; `Client` and `OfflineDesk` both offer it."""

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """As the client."""
        ...

    def list_keys(self) -> tuple[KeyView, ...]:
        """As the client."""
        ...

    def revoke_key(self, key_id: str) -> KeyView:
        """As the client."""
        ...

    def tail_audit(self, limit: int = 100, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """As the client."""
        ...

    def verify_audit(self) -> AuditVerdict:
        """As the client."""
        ...


@contextmanager
def open_desk(options: Shared, is_offline: bool) -> Iterator[Desk]:
    """Yield the server's desk when one was named or runs here, else (or when offline is asked for) the database's."""
    is_named = options.url is not None or bool(os.environ.get("NEUROFORGE_URL"))
    if not is_offline and (is_named or options.run_state() is not None):
        with options.client() as client:
            yield client
        return
    from neuroforge.storage.store import open_store  # SQLAlchemy takes a while to import

    store = open_store(options.settings().storage.sql_url, time.time)
    try:
        yield OfflineDesk(store)
    finally:
        store.close()


class OfflineDesk:
    """The database without a server; what changes keys is written to the audit log as the server would."""

    def __init__(self, store: "SqlStore") -> None:
        self._store = store

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """Make a key."""
        created = self._store.create_key(spec)
        self._note("key.create", created.key.id, 201)
        return created

    def list_keys(self) -> tuple[KeyView, ...]:
        """All, revoked ones too, oldest first."""
        return tuple(_view(key) for key in self._store.list_keys())

    def revoke_key(self, key_id: str) -> KeyView:
        """Raises NotFound."""
        key = self._store.revoke_key(key_id)
        self._note("key.revoke", key_id, 200)
        return _view(key)

    def tail_audit(self, limit: int = 100, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """The last `limit` records after `after_seq`, oldest first."""
        return self._store.tail(limit, after_seq)

    def verify_audit(self) -> AuditVerdict:
        """Walk the whole chain."""
        return self._store.verify()

    def _note(self, action: str, key_id: str, status: int) -> None:
        event = AuditEvent(at_s=time.time(), actor="local", action=action, target=key_id, status=status)
        self._store.append((event,))


def _view(key: "ApiKey") -> KeyView:
    return KeyView(id=key.id, spec=key.spec, created_at_s=key.created_at_s, revoked_at_s=key.revoked_at_s)
