"""What both clients offer of routing rules."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from neuroforge.client import calls_rules as calls
from neuroforge.client.calls import Call
from neuroforge.contracts.rules import Insight, RoutingRules, RulesEntry

T = TypeVar("T")


class Ruling:
    """The blocking client's part."""

    @abstractmethod
    def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    def rules(self) -> tuple[RulesEntry, ...]:
        """Every proposal and version with what became of it, newest first; the last are the settings' defaults."""
        return self._send(calls.rules())

    def propose_rules(self, proposed: RoutingRules) -> RulesEntry:
        """Replay them on logged outcomes; they have no effect yet. Raises RequestError: a rule that cannot be."""
        return self._send(calls.propose_rules(proposed))

    def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """Let them decide beside the live ones, without effect. Raises NotFound, ConflictError."""
        return self._send(calls.shadow_rules(proposal_id))

    def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        """Put them in force. Raises NotFound; ConflictError: refused by the replay, or others came in between."""
        return self._send(calls.apply_rules(proposal_id, force))

    def rollback_rules(self, version: int | None = None) -> RulesEntry:
        """Put that version (None = the one before) in force again, as a new one. Raises NotFound, ConflictError."""
        return self._send(calls.rollback_rules(version))

    def update_routing_rules(self, insights: Sequence[Insight], shadow: bool = False) -> RulesEntry:
        """Make rules of insights, replay them, apply them if proven; else they come back refused, or in shadow."""
        return self._send(calls.update_routing_rules(insights, shadow))


class AsyncRuling:
    """The async client's part."""

    @abstractmethod
    async def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    async def rules(self) -> tuple[RulesEntry, ...]:
        """As the blocking client."""
        return await self._send(calls.rules())

    async def propose_rules(self, proposed: RoutingRules) -> RulesEntry:
        """As the blocking client."""
        return await self._send(calls.propose_rules(proposed))

    async def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """As the blocking client."""
        return await self._send(calls.shadow_rules(proposal_id))

    async def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        """As the blocking client."""
        return await self._send(calls.apply_rules(proposal_id, force))

    async def rollback_rules(self, version: int | None = None) -> RulesEntry:
        """As the blocking client."""
        return await self._send(calls.rollback_rules(version))

    async def update_routing_rules(self, insights: Sequence[Insight], shadow: bool = False) -> RulesEntry:
        """As the blocking client."""
        return await self._send(calls.update_routing_rules(insights, shadow))
