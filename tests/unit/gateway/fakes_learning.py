"""Stand-ins for the learner and for what is kept, with two decisions of two callers."""

from dataclasses import dataclass, field

from neuroforge.contracts.outcomes import (
    DataSummary,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.errors import DataError, NotFound


def record(decision_id: str, actor: str) -> OutcomeRecord:
    decision = Decision(
        decision_id=decision_id,
        request_id="r1",
        model_id="small",
        policy="auto",
        reason="utility",
        snapshot_version=1,
    )
    outcome = Outcome(
        decision_id=decision_id, request_id="r1", model_id="small", policy="auto", status=200, latency_s=0.5
    )
    return OutcomeRecord(at_s=7.0, decision=decision, outcome=outcome, actor=actor, basis=(1.0, 2.0))


@dataclass
class FakeLearner:
    """Knows `mine` of the key k1 and `other` of k2; `late` becomes known after so many questions."""

    records: dict[str, OutcomeRecord] = field(
        default_factory=lambda: {"mine": record("mine", "k1"), "other": record("other", "k2")}
    )
    given: list[tuple[Feedback, str | None]] = field(default_factory=list)
    uploads: list[FitUpload] = field(default_factory=list)
    n_asked: int = 0
    known_after: int = 0

    async def give_feedback(self, feedback: Feedback, actor: str | None) -> FeedbackReceipt:
        self._find(feedback.decision_id, actor)
        self.given.append((feedback, actor))
        return FeedbackReceipt(decision_id=feedback.decision_id, status="accepted", score=float(feedback.score or 0))

    async def find_decision(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        return self._find(decision_id, actor)

    async def status(self) -> RouterStatus:
        return RouterStatus(version=3, rules_version=1, record="stats", n_outcomes=2, n_scored=1, n_dropped=0)

    async def apply_fit(self, upload: FitUpload) -> RouterStatus:
        if upload.path == "/bad":
            raise DataError("/bad: made with another embedder")
        self.uploads.append(upload)
        return RouterStatus(
            version=4, fit_id="f" * 64, rules_version=1, record="stats", n_outcomes=2, n_scored=1, n_dropped=0
        )

    def _find(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        self.n_asked += 1
        found = self.records.get(decision_id)
        if found is None or self.n_asked <= self.known_after or (actor is not None and found.actor != actor):
            raise NotFound("there is no such decision of this caller")
        return found


@dataclass
class FakeData:
    """Two outcomes; remembers what it was told."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    async def summary(self) -> DataSummary:
        return DataSummary(
            record="stats",
            retention_days=30,
            n_outcomes=2,
            n_feedback=1,
            n_embeddings=0,
            n_texts=0,
            oldest_s=1.0,
            newest_s=2.0,
            bytes_on_disk=4096,
            places=("/home/outcomes.db",),
        )

    async def export(self, path: str, after_seq: int = 0, for_fit: bool = False) -> int:
        self.calls.append(("export", path, after_seq, for_fit))
        return 2

    async def purge(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        self.calls.append(("purge", actor, before_s))
        return PurgeReport(n_outcomes=2)
