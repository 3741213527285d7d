"""A stand-in for the store of routing rules: remembers what it was told, refuses what is called `refused`."""

from dataclasses import dataclass, field

from neuroforge.contracts.rules import Estimate, Insight, ReplayReport, RoutingRules, RulesEntry, RulesState
from neuroforge.errors import ConflictError, NotFound

_SOME = Estimate(mean=0.5, low=0.4, high=0.6, n=800)
REPLAY = ReplayReport(
    value=_SOME,
    baseline=_SOME,
    difference=Estimate(mean=0.02, low=0.01, high=0.03, n=800),
    effective_sample_size=250.0,
    n_changed=300,
)


def entry(proposal_id: str, state: RulesState = "proposed", rules: RoutingRules | None = None) -> RulesEntry:
    return RulesEntry(rules=rules or RoutingRules(), proposal_id=proposal_id, state=state, replay=REPLAY)


@dataclass
class FakeRules:
    """Knows the proposals `known` and `refused`."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    async def list_rules(self) -> tuple[RulesEntry, ...]:
        return entry("known"), entry("defaults", "applied")

    async def propose_rules(self, rules: RoutingRules) -> RulesEntry:
        self.calls.append(("propose", rules))
        return entry("known", rules=rules)

    async def shadow_rules(self, proposal_id: str) -> RulesEntry:
        return self._told("shadow", proposal_id, "shadow")

    async def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        if proposal_id == "refused" and not force:
            raise ConflictError("proposal refused is refused: not enough evidence: effective sample size 12.0")
        return self._told("apply", proposal_id, "applied", force)

    async def rollback_rules(self, version: int | None = None) -> RulesEntry:
        return self._told("rollback", "known", "applied", version)

    async def update_rules(
        self, insights: tuple[Insight, ...], model_ids: tuple[str, ...], shadow: bool = False
    ) -> RulesEntry:
        return self._told("update", "known", "applied", insights, model_ids, shadow)

    def _told(self, what: str, proposal_id: str, state: RulesState, *more: object) -> RulesEntry:
        if proposal_id not in ("known", "refused"):
            raise NotFound(f"no rules were proposed as {proposal_id!r}")
        self.calls.append((what, proposal_id, *more))
        return entry(proposal_id, state)
