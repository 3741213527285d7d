"""As `ports`, for the single-writer store: keys and the audit log."""

from typing import Protocol

from neuroforge.contracts.keys import (
    ApiKey,
    AuditEvent,
    AuditRecord,
    AuditVerdict,
    AuthSnapshot,
    CreatedKey,
    GatewayReport,
    KeySpec,
)


class KeyStore(Protocol):
    """API keys at rest."""

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """The secret is in this answer and nowhere else."""
        ...

    def list_keys(self) -> tuple[ApiKey, ...]:
        """All, revoked ones too, oldest first."""
        ...

    def revoke_key(self, key_id: str) -> ApiKey:
        """Raises NotFound. Revoking twice keeps the first time."""
        ...


class AuditLog(Protocol):
    """Append-only, hash-chained."""

    def append(self, events: tuple[AuditEvent, ...]) -> None:
        """In one transaction."""
        ...

    def tail(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """The last `limit` records after `after_seq`, oldest first."""
        ...

    def verify(self) -> AuditVerdict:
        """Walk the whole chain."""
        ...


class StateStore(Protocol):
    """What a gateway replica asks of the single-writer store, over a handle."""

    async def exchange(self, report: GatewayReport) -> AuthSnapshot:
        """Hand over what happened in the last second, get the keys and the others' counts."""
        ...

    async def create_key(self, spec: KeySpec) -> CreatedKey:
        """As KeyStore."""
        ...

    async def list_keys(self) -> tuple[ApiKey, ...]:
        """As KeyStore."""
        ...

    async def revoke_key(self, key_id: str) -> ApiKey:
        """As KeyStore."""
        ...

    async def tail_audit(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """As AuditLog."""
        ...

    async def verify_audit(self) -> AuditVerdict:
        """As AuditLog."""
        ...
