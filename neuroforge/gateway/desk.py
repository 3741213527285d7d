"""What every route needs to let a caller in and to book the call."""

import random
from dataclasses import dataclass

from neuroforge.contracts.keys import Scope
from neuroforge.gateway.accounting import Ledger
from neuroforge.gateway.audit import AuditBuffer
from neuroforge.gateway.auth import Authenticator, Caller
from neuroforge.gateway.call import Call
from neuroforge.gateway.limits import Limiter
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.prompted import Prompting
from neuroforge.gateway.prompts import PromptShelf


@dataclass(frozen=True)
class Desk:
    """The gateway replica's own state, all of it in memory."""

    auth: Authenticator
    limiter: Limiter
    audit: AuditBuffer
    ledger: Ledger
    prompting: Prompting

    def admit(self, call: Call, scope: Scope | None) -> Caller:
        """Identify the caller and note who it is.

        Raises:
            AuthenticationError, PermissionDenied, EngineUnavailable: As Authenticator.identify.
        """
        call.caller = self.auth.identify(call, scope)
        return call.caller

    def admit_inference(self, call: Call) -> Caller:
        """As `admit`, and count the request against the key's limits.

        Raises:
            RateLimited: The key's window is full.
        """
        caller = self.admit(call, "inference")
        call.action = "inference"
        self.limiter.admit(caller.key, call)
        return caller


def open_desk(parts: GatewayParts) -> Desk:
    """Build one replica's state."""
    options = parts.options
    audit = AuditBuffer()
    limiter = Limiter(parts.wall_clock, options.requests_per_minute, options.tokens_per_minute)
    ledger = Ledger(parts, audit, limiter)
    prompting = Prompting(PromptShelf(), parts.fleet_view, parts.metrics, random.Random())  # noqa: S311 - draws shadows
    return Desk(Authenticator(options), limiter, audit, ledger, prompting)
