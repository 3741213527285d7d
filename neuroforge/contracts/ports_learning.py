"""As `ports`, for what is learned and kept of requests, in the learner actor."""

from typing import Protocol

from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus
from neuroforge.contracts.outcomes import (
    DataSummary,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.contracts.rules import Insight, RoutingRules, RulesEntry


class Learner(Protocol):
    """The single writer of what was learned, over a handle."""

    async def give_feedback(self, feedback: Feedback, actor: str | None) -> FeedbackReceipt:
        """`actor` None = an operator. Raises NotFound: no such decision, or it is another caller's."""
        ...

    async def find_decision(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        """As it was recorded, without its embedding. Raises NotFound as give_feedback."""
        ...

    async def status(self) -> RouterStatus:
        """Versions, counts, uplift."""
        ...

    async def apply_fit(self, upload: FitUpload) -> RouterStatus:
        """Decide by this fit from now on. Raises RequestError, DataError: it cannot be used; nothing has changed."""
        ...


class RulesStore(Protocol):
    """RoutingRules and their history, over a handle."""

    async def list_rules(self) -> tuple[RulesEntry, ...]:
        """Newest first."""
        ...

    async def propose_rules(self, rules: RoutingRules) -> RulesEntry:
        """Replay on logged outcomes; the entry says what was found, or why it is refused."""
        ...

    async def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """Let them decide beside the live ones, without effect. Raises NotFound, RequestError (refused)."""
        ...

    async def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        """Raises NotFound; ConflictError: other rules came in between, or the replay refuses, and not forced."""
        ...

    async def rollback_rules(self, version: int | None = None) -> RulesEntry:
        """Put the rules of that version in force again, as a new version; None = the ones before."""
        ...

    async def update_rules(
        self, insights: tuple[Insight, ...], model_ids: tuple[str, ...], shadow: bool = False
    ) -> RulesEntry:
        """Propose what the insights say, replay, and apply if proven; else refused, or in shadow if asked for.

        `model_ids` are the fleet's. Raises RequestError: an insight names another model, or none says anything.
        """
        ...


class LiveTestDesk(Protocol):
    """Live tests, over a handle."""

    async def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        """Start it. Raises ConflictError: its name is taken, another runs on its target, or nothing is recorded."""
        ...

    async def list_live_tests(self) -> tuple[LiveTestStatus, ...]:
        """Newest first."""
        ...

    async def live_test(self, name: str) -> LiveTestStatus:
        """Raises NotFound."""
        ...

    async def stop_live_test(self, name: str) -> LiveTestStatus:
        """Answer its target as usual again; stopping twice changes nothing. Raises NotFound."""
        ...


class OutcomeData(Protocol):
    """What is kept of requests, over a handle."""

    async def summary(self) -> DataSummary:
        """Counts and places."""
        ...

    async def export(self, path: str, after_seq: int = 0, for_fit: bool = False) -> int:
        """Write Parquet on the head node, `for_fit` only outcomes with text and score; returns rows."""
        ...

    async def purge(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """Delete outcomes, feedback, embeddings and texts; without `actor` those of experiments too."""
        ...
