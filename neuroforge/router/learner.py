"""reports -> store -> posterior -> snapshot; feedback -> score -> posterior. The single writer of what is learned."""

import logging
import threading
from collections.abc import Sequence

from neuroforge.contracts.outcomes import (
    Feedback,
    FeedbackReceipt,
    LearnerReply,
    OutcomeRecord,
    RouterStatus,
)
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Decision
from neuroforge.errors import DataError, NotFound
from neuroforge.router.clusters import PREFIX
from neuroforge.router.feedback import Standing, explicit_score, failure_weight, judge_feedback
from neuroforge.router.holdout import best_single, measure_uplift
from neuroforge.router.learner_input import LearnerOptions, LearnerReport, LiveRules
from neuroforge.router.lessons import Lessons, PriorOf, is_fitless
from neuroforge.router.live_tests import LiveTests
from neuroforge.router.publish import Publisher
from neuroforge.router.scored import ScoredDecision
from neuroforge.storage.learner_state import Lesson
from neuroforge.storage.live_tests import SqlLiveTests
from neuroforge.storage.outcome_rows import OutcomeRow, basis_bytes, storable_text
from neuroforge.storage.outcomes import Held, Learned, NewOutcome, OutcomeStore, Statement

logger = logging.getLogger(__name__)

N_MEASURED = 5_000
"""Newest scored outcomes from which the best single model and the uplift are computed."""
LATE_HALF_LIVES = 4.0
"""Feedback on older outcomes would weigh below a sixteenth: it is kept for the next fit only."""


class Learner:
    """`ports.Learner` without the waiting; safe to use from several threads."""

    def __init__(
        self, store: OutcomeStore, rules: LiveRules, prior_of: PriorOf, options: LearnerOptions, clock: Clock
    ) -> None:
        """`clock` is Unix time."""
        self._store = store
        self._rules = rules
        self._options = options
        self._clock = clock
        self._lock = threading.RLock()
        self._lessons = Lessons(store, clock, prior_of, options.half_life_s)
        self._counts = store.counts()
        self._tests = LiveTests(SqlLiveTests(store.database), clock, options.record)
        self._publisher = Publisher(self._lessons, rules, self._tests, clock)
        self._n_scored_measured = -1

    def exchange(self, report: LearnerReport) -> LearnerReply:
        """As OutcomeTaker; a report that comes twice changes nothing the second time.

        Raises:
            StorageError: Nothing of the report was taken.
        """
        with self._lock:
            if self._options.record != "none":
                self._learn(report.rows)
                self._rules.observe(Decision.model_validate_json(row.decision) for row in report.rows)
            self._lessons.note_dropped(report.n_dropped)
            self._adopt(report.clusters)
            self._publisher.publish_when_due()
            self._lessons.save_when_due()
            return self._publisher.reply(report)

    def give_feedback(self, feedback: Feedback, actor: str | None) -> FeedbackReceipt:
        """As ports.Learner."""
        with self._lock:
            held = self._held(feedback.decision_id, actor)
            last = self._store.last_statement(feedback.decision_id)
            has_texts = self._options.record == "text"
            new = Standing(
                explicit_score(feedback, held.record.answer),
                storable_text(feedback.preferred_answer) if has_texts else None,
                storable_text(feedback.comment) if has_texts else None,
            )
            before = None if last is None else Standing(last.score, last.preferred_answer, last.comment)
            status = judge_feedback(new, before, self._is_late(held))
            if status != "duplicate":
                statement = Statement(
                    feedback.decision_id, self._clock(), new.score, status, new.preferred_answer, new.comment
                )
                self._rate(held, statement)
                if last is None:
                    self._tests.rate(held.record, new.score)
            return FeedbackReceipt(decision_id=feedback.decision_id, status=status, score=new.score)

    def read_scored(self, limit: int) -> list[ScoredDecision]:
        """The newest scored decisions, oldest first, failures weighted as in the posterior."""
        weight = self._failure_weight()
        return [
            ScoredDecision(one.decision, one.score, one.at_s, 1.0 if one.is_rated else weight)
            for one in self._store.read_scored(limit)
        ]

    @property
    def live_tests(self) -> LiveTests:
        """Those that this learner feeds."""
        return self._tests

    def find_decision(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        """As ports.Learner."""
        return self._held(decision_id, actor).record

    def status(self) -> RouterStatus:
        """As ports.Learner."""
        uplift, reason = measure_uplift(self.read_scored(N_MEASURED))
        with self._lock:
            return RouterStatus(
                version=self._lessons.version,
                fit_id="" if is_fitless(self._lessons.fit_id) else self._lessons.fit_id,
                has_clusters=self._lessons.fit_id.startswith(PREFIX),
                rules_version=self._rules.live.version,
                record=self._options.record,
                n_outcomes=self._counts.n_outcomes,
                n_scored=self._counts.n_scored,
                n_dropped=self._lessons.n_dropped,
                uplift=uplift,
                uplift_reason=reason,
                n_outcomes_by_model={name: float(n) for name, n in sorted(self._counts.n_by_model.items())},
            )

    def apply_fit(self, content: bytes) -> RouterStatus:
        """Decide by this fit from the next snapshot on; the same one again changes nothing.

        Raises:
            DataError: It is damaged, of another version or made with another embedder; the fit before stays in force.
        """
        with self._lock:
            if self._lessons.apply(content):
                self._publisher.publish()
        return self.status()

    def purge(self, actor: str | None = None, before_s: float | None = None) -> int:
        """Delete outcomes and all that hangs on them, and what was learned of them. Returns how many went."""
        n_outcomes = self._store.purge(actor, before_s)
        with self._lock:
            self._recount()
            self._lessons.forget()
            self._publisher.publish()
        return n_outcomes

    def tend(self) -> None:
        """What need not hold up an exchange: delete what was kept long enough, find the best single model, save.

        Called every few seconds. Costs up to a second.
        """
        if self._store.expire(self._clock() - self._options.retention_s):
            with self._lock:
                self._recount()
        if self._counts.n_scored != self._n_scored_measured:
            self._measure()
        with self._lock:
            self._lessons.save_when_due()

    def close(self) -> None:
        """Save what was learned."""
        with self._lock:
            self._lessons.save()

    def _learn(self, rows: Sequence[OutcomeRow]) -> None:
        by_id = {row.decision_id: row for row in rows}
        known = self._store.known_ids(list(by_id)) if by_id else set()
        fresh = [self._judged(row) for decision_id, row in by_id.items() if decision_id not in known]
        if not fresh:
            return
        redo_seq = self._store.add(fresh)
        self._tests.observe([one.row for one in fresh])
        self._lessons.take((lesson for one in fresh if (lesson := _lesson(one)) is not None), redo_seq)
        self._counts = self._counts.plus(fresh)
        self._publisher.note(any(one.learned_weight is not None for one in fresh))

    def _adopt(self, clusters: bytes | None) -> None:
        if clusters is None or self._options.record == "none":
            return
        try:
            if self._lessons.adopt(clusters):
                self._publisher.publish()
        except DataError as error:
            logger.warning("kinds found in the traffic cannot be used", extra={"reason": error.message})

    def _judged(self, row: OutcomeRow) -> NewOutcome:
        fit_id = self._lessons.fit_of(row.router_version)
        if not row.is_failure:
            return NewOutcome(row, fit_id, None, None)
        weight = self._failure_weight()
        can_take = self._lessons.can_take(fit_id, row.basis, row.base_quality)
        return NewOutcome(row, fit_id, 0.0, weight if can_take else None)

    def _held(self, decision_id: str, actor: str | None) -> Held:
        held = self._store.find(decision_id)
        if held is None or (actor is not None and held.record.actor != actor):
            hint = "; nothing is kept of requests: router.record is none" if self._options.record == "none" else ""
            # Not repeated: until it is found an id is any text of the caller's.
            raise NotFound(f"there is no such decision of this caller{hint}")
        return held

    def _is_late(self, held: Held) -> bool:
        age_s = self._clock() - held.record.at_s
        return not self._lessons.knows(held.fit_id) or age_s > LATE_HALF_LIVES * self._options.half_life_s

    def _rate(self, held: Held, statement: Statement) -> None:
        record, weight = held.record, held.learned_weight
        basis = None if record.basis is None else basis_bytes(record.basis)
        changes: list[Learned] = []
        can_take = self._lessons.can_take(held.fit_id, basis, record.base_quality)
        if statement.status != "late" and can_take and (statement.score, 1.0) != (record.score, weight):
            if record.score is not None and weight is not None:
                changes.append(Learned(statement.decision_id, record.score, -weight, record.at_s))
            weight = 1.0
            changes.append(Learned(statement.decision_id, statement.score, weight, record.at_s))
        redo_seq = self._store.rate(statement, weight, changes)
        lessons = [
            Lesson(record.outcome.model_id, basis, one.score - record.base_quality, one.weight, one.at_s, held.fit_id)
            for one in changes
            if basis is not None and record.base_quality is not None
        ]
        self._lessons.take(lessons, redo_seq)
        self._counts = self._counts.rated(record.score, record.score_source)
        self._publisher.note(bool(changes))

    def _recount(self) -> None:
        self._counts = self._store.counts()

    def _measure(self) -> None:
        n_scored = self._counts.n_scored
        best = best_single(self.read_scored(N_MEASURED))
        with self._lock:
            self._publisher.note_best(None if best is None else best.model_id)
            self._n_scored_measured = n_scored

    def _failure_weight(self) -> float:
        counts = self._counts
        return failure_weight(counts.n_rated, counts.n_outcomes - counts.n_scored + counts.n_rated)


def _lesson(new: NewOutcome) -> Lesson | None:
    row = new.row
    if new.learned_weight is None or new.score is None or row.basis is None or row.base_quality is None:
        return None
    return Lesson(row.model_id, row.basis, new.score - row.base_quality, new.learned_weight, row.at_s, new.fit_id)
