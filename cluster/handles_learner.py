"""Protocols over the learner actor's handle."""

from typing import Any

from cluster.detached import ONCE
from cluster.handles import call
from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus
from neuroforge.contracts.outcomes import (
    DataSummary,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    LearnerReply,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.contracts.rules import Insight, RoutingRules, RulesEntry
from neuroforge.router.learner_input import LearnerReport

WHO = "the learner"
SLOW_TIMEOUT_S = 600.0
"""Exports and purges of millions of outcomes, replays of rules."""


class LearnerHandle:
    """OutcomeTaker, Learner, RulesStore, LiveTestDesk and OutcomeData, in the learner actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def exchange(self, report: LearnerReport) -> LearnerReply:
        """See OutcomeTaker."""
        return await call(self._actor.exchange.remote(report), WHO)

    async def give_feedback(self, feedback: Feedback, actor: str | None) -> FeedbackReceipt:
        """See Learner."""
        return await call(self._actor.give_feedback.remote(feedback, actor), WHO)

    async def find_decision(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        """See Learner."""
        return await call(self._actor.find_decision.remote(decision_id, actor), WHO)

    async def status(self) -> RouterStatus:
        """See Learner."""
        return await call(self._actor.status.remote(), WHO)

    async def apply_fit(self, upload: FitUpload) -> RouterStatus:
        """See Learner."""
        return await call(self._actor.apply_fit.remote(upload), WHO, SLOW_TIMEOUT_S)

    async def list_rules(self) -> tuple[RulesEntry, ...]:
        """See RulesStore."""
        return await call(self._actor.list_rules.remote(), WHO)

    async def propose_rules(self, rules: RoutingRules) -> RulesEntry:
        """See RulesStore."""
        return await call(self._actor.propose_rules.remote(rules), WHO, SLOW_TIMEOUT_S)

    async def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """See RulesStore."""
        return await call(self._actor.shadow_rules.remote(proposal_id), WHO)

    async def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        """See RulesStore."""
        return await call(self._actor.apply_rules.remote(proposal_id, force), WHO, SLOW_TIMEOUT_S)

    async def rollback_rules(self, version: int | None = None) -> RulesEntry:
        """See RulesStore."""
        return await call(self._actor.rollback_rules.options(**ONCE).remote(version), WHO)

    async def update_rules(
        self, insights: tuple[Insight, ...], model_ids: tuple[str, ...], shadow: bool = False
    ) -> RulesEntry:
        """See RulesStore."""
        return await call(self._actor.update_rules.remote(insights, model_ids, shadow), WHO, SLOW_TIMEOUT_S)

    async def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        """See LiveTestDesk."""
        return await call(self._actor.create_live_test.remote(spec), WHO)

    async def list_live_tests(self) -> tuple[LiveTestStatus, ...]:
        """See LiveTestDesk."""
        return await call(self._actor.list_live_tests.remote(), WHO)

    async def live_test(self, name: str) -> LiveTestStatus:
        """See LiveTestDesk."""
        return await call(self._actor.live_test.remote(name), WHO)

    async def stop_live_test(self, name: str) -> LiveTestStatus:
        """See LiveTestDesk."""
        return await call(self._actor.stop_live_test.remote(name), WHO)

    async def summary(self) -> DataSummary:
        """See OutcomeData."""
        return await call(self._actor.summary.remote(), WHO, SLOW_TIMEOUT_S)

    async def export(self, path: str, after_seq: int = 0, for_fit: bool = False) -> int:
        """See OutcomeData."""
        return await call(self._actor.export.remote(path, after_seq, for_fit), WHO, SLOW_TIMEOUT_S)

    async def purge(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """See OutcomeData."""
        return await call(self._actor.purge.remote(actor, before_s), WHO, SLOW_TIMEOUT_S)
