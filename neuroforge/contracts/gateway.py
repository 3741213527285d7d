"""What a gateway replica says of itself and of the fleet at GET /admin/v1/status."""

from neuroforge.contracts.base import Contract
from neuroforge.contracts.models import ModelStatus


class MissingPart(Contract):
    """Something that must be there before the gateway is ready."""

    id: str
    """A model's id, or `api-keys`, or `fleet`."""
    state: str


class GatewayStatus(Contract):
    """The answer to `neuroforge status`."""

    version: str
    replica_id: str
    uptime_s: float
    is_ready: bool
    missing: tuple[MissingPart, ...] = ()
    n_in_flight: int
    """Requests that this replica is answering, this one included."""
    n_audit_waiting: int
    """Audit events not yet handed to the store."""
    n_audit_dropped: int
    n_keys: int
    """Keys that are not revoked."""
    models: tuple[ModelStatus, ...] = ()
    dashboard_url: str | None = None
