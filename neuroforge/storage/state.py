"""gateway reports -> audit log and usage -> what each gateway replica needs to answer without asking.

The plain class behind the single-writer actor. Usage lives in memory only: replicas report their minute's running
totals each second, so a restarted writer knows them again within a second.
"""

import threading
from collections import defaultdict

from neuroforge.contracts.keys import (
    ApiKey,
    AuditHead,
    AuditRecord,
    AuditVerdict,
    AuthSnapshot,
    CreatedKey,
    GatewayReport,
    KeySpec,
    KeyUsage,
)
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.storage.keys import KeyRevision
from neuroforge.storage.store import SqlStore

_Window = tuple[str, int]
"""Key id and minute."""


class StateExchange:
    """`StateStore` without the waiting; safe to use from several threads, so a long `verify_audit` may run aside."""

    def __init__(self, store: SqlStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        """Unix time."""
        self._usage_by_replica: dict[str, dict[_Window, KeyUsage]] = {}
        self._keys: tuple[ApiKey, ...] = ()
        self._revision: KeyRevision | None = None
        self._lock = threading.Lock()

    def exchange(self, report: GatewayReport) -> AuthSnapshot:
        """Log the report's events, take over its counts, answer with the live keys and the others' counts.

        `report.usage` holds running totals of a minute, not differences: handing one in twice changes nothing.

        Raises:
            StorageError: Nothing of the report was taken; the same report may be sent again.
        """
        with self._lock:
            keys = self._live_keys()  # before the append: a failure after it would make the caller log twice
            is_newest = report.prompts_revision == self._store.prompts.revision()
            prompts = None if is_newest else self._store.prompts.snapshot()
            self._store.prompts.add_uses(report.prompt_uses)
            self._store.append(report.audit)
            self._take(report)
            usage = self._usage_elsewhere(report.replica_id)
            return AuthSnapshot(keys=keys, usage_elsewhere=usage, prompts=prompts)

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """As KeyStore. The caller reports who asked for it, as an audit event of its own."""
        return self._store.create_key(spec)

    def list_keys(self) -> tuple[ApiKey, ...]:
        """As KeyStore."""
        return self._store.list_keys()

    def revoke_key(self, key_id: str) -> ApiKey:
        """As KeyStore. The caller reports who asked for it, as an audit event of its own."""
        return self._store.revoke_key(key_id)

    def tail_audit(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """As AuditLog."""
        return self._store.tail(limit, after_seq)

    def verify_audit(self, anchor: AuditHead | None = None) -> AuditVerdict:
        """As AuditLog."""
        return self._store.verify(anchor)

    def list_prompts(self) -> tuple[PromptEntry, ...]:
        """As PromptStore."""
        return self._store.prompts.list_prompts()

    def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """As PromptStore."""
        return self._store.prompts.promote_prompt(name, promotion)

    def rollback_prompt(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """As PromptStore."""
        return self._store.prompts.rollback_prompt(name, alias, version)

    def _take(self, report: GatewayReport) -> None:
        self._usage_by_replica.setdefault(report.replica_id, {}).update(
            {(one.key_id, one.minute): one for one in report.usage}
        )
        # A replica's clock may run ahead by a minute; anything further off is of no use to a limit.
        minute = int(self._clock() // 60)
        for replica_id, windows in list(self._usage_by_replica.items()):
            kept = {window: usage for window, usage in windows.items() if abs(window[1] - minute) <= 1}
            if kept:
                self._usage_by_replica[replica_id] = kept
            else:
                del self._usage_by_replica[replica_id]

    def _usage_elsewhere(self, replica_id: str) -> tuple[KeyUsage, ...]:
        requests: defaultdict[_Window, int] = defaultdict(int)
        tokens: defaultdict[_Window, int] = defaultdict(int)
        for other_id, windows in self._usage_by_replica.items():
            if other_id == replica_id:
                continue
            for window, usage in windows.items():
                requests[window] += usage.n_requests
                tokens[window] += usage.n_tokens
        return tuple(
            KeyUsage(key_id=key_id, minute=minute, n_requests=requests[key_id, minute], n_tokens=tokens[key_id, minute])
            for key_id, minute in sorted(requests)
        )

    def _live_keys(self) -> tuple[ApiKey, ...]:
        """Read again only if a key changed, through this object or through any other process."""
        revision = self._store.key_revision()
        if revision != self._revision:
            self._keys = tuple(key for key in self._store.list_keys() if key.revoked_at_s is None)
            self._revision = revision
        return self._keys
