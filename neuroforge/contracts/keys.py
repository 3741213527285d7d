"""API keys, their limits, and the audit log. A key's secret exists only at its creation and in the caller's hands."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.prompt_serving import PromptSnapshot, PromptUse

Scope = Literal["inference", "admin"]


class KeySpec(Contract):
    """What an operator asks for when creating a key."""

    name: str = Field(min_length=1, max_length=100)
    scopes: frozenset[Scope] = frozenset({"inference"})
    allowed_models: frozenset[str] | None = None
    """None = all; `auto` then picks among these only."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)


class ApiKey(Contract):
    """A stored key: the secret's hash only."""

    id: str
    """Public part, also inside the secret: `nf-<id>-<random>`."""
    spec: KeySpec
    secret_sha256: str = Field(repr=False)
    """Hex. Plain SHA-256 is right here: the secret has 256 random bits, so there is nothing to guess."""
    created_at_s: float
    revoked_at_s: float | None = None


class KeyView(Contract):
    """A stored key as operators see it: without the hash."""

    id: str
    spec: KeySpec
    created_at_s: float
    revoked_at_s: float | None = None


class CreatedKey(Contract):
    """The only message that carries a secret."""

    key: ApiKey
    secret: str = Field(repr=False)


class AuditEvent(Contract):
    """Who did what to which model; never the text."""

    at_s: float
    actor: str
    """Key id, or `local` for a caller without a key on loopback."""
    action: str
    """`inference`, `model.load`, `key.create`, ..."""
    target: str | None = None
    request_id: str | None = None
    status: int
    detail: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class AuditRecord(Contract):
    """An event as it stands in the log, chained to the one before it."""

    seq: int = Field(ge=1)
    event: AuditEvent
    previous_hash: str
    hash: str
    """SHA-256 over previous_hash and the event's canonical JSON."""


class AuditHead(Contract):
    """Where the log ends; noted down elsewhere it is an anchor that a later walk must still find."""

    seq: int = Field(ge=0)
    """0 = the log is empty."""
    hash: str


class AuditVerdict(Contract):
    """Result of walking the chain."""

    n_records: int = Field(ge=0)
    is_intact: bool
    first_bad_seq: int | None = None
    reason: str | None = None
    head: AuditHead | None = None
    """Of an intact log."""


class KeyUsage(Contract):
    """What one gateway replica counted for one key in the current minute window."""

    key_id: str
    minute: int
    """Unix time // 60."""
    n_requests: int = Field(default=0, ge=0)
    n_tokens: int = Field(default=0, ge=0)


class GatewayReport(Contract):
    """What a gateway replica tells the store each second."""

    replica_id: str
    audit: tuple[AuditEvent, ...] = ()
    usage: tuple[KeyUsage, ...] = ()
    prompts_revision: int | None = None
    """Of the prompts that it holds; None = it holds none yet."""
    prompt_uses: tuple[PromptUse, ...] = ()


class AuthSnapshot(Contract):
    """What a gateway replica needs to answer without asking: live keys, what the others counted, prompts."""

    keys: tuple[ApiKey, ...] = ()
    usage_elsewhere: tuple[KeyUsage, ...] = ()
    prompts: PromptSnapshot | None = None
    """None = those that the replica holds are the newest."""
