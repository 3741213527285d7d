"""What was learned -> LearnerSnapshot, a few times a second -> what a replica still lacks of it."""

from neuroforge.contracts.outcomes import LearnerReply, LearnerSnapshot
from neuroforge.contracts.ports import Clock
from neuroforge.router.learner_input import LearnerReport, LiveRules
from neuroforge.router.lessons import Lessons
from neuroforge.router.live_tests import LiveTests

PUBLISH_EVERY_S = 0.3


class Publisher:
    """The newest snapshot; not safe to use from several threads."""

    def __init__(self, lessons: Lessons, rules: LiveRules, tests: LiveTests, clock: Clock) -> None:
        """`clock` is Unix time."""
        self._lessons = lessons
        self._rules = rules
        self._tests = tests
        self._clock = clock
        self._live_rules, self._live_plans = rules.live, tests.plans
        self._best: str | None = None
        self._published_at_s = float("-inf")
        self._has_changed = False
        self._snapshot = self._make_snapshot()

    def note(self, has_changed: bool) -> None:
        """See whether something was learned that a snapshot would tell."""
        self._has_changed = self._has_changed or has_changed

    def note_best(self, model_id: str | None) -> None:
        """Take the best single model."""
        self.note(model_id != self._best)
        self._best = model_id

    def publish_when_due(self) -> None:
        """Make a snapshot: at once where rules or live tests changed, else where something else did some time ago."""
        is_changed = self._rules.live is not self._live_rules or self._tests.plans is not self._live_plans
        if is_changed or (self._has_changed and self._clock() - self._published_at_s >= PUBLISH_EVERY_S):
            self.publish()

    def publish(self) -> None:
        """Make a snapshot, with the next version."""
        self._lessons.version += 1
        self._published_at_s = self._clock()
        self._has_changed = False
        self._live_rules, self._live_plans = self._rules.live, self._tests.plans
        self._snapshot = self._make_snapshot()

    def reply(self, report: LearnerReport) -> LearnerReply:
        """Return what the replica lacks; the fit travels only where it is another one."""
        snapshot = self._snapshot
        if report.known_version == snapshot.version:
            return LearnerReply()
        if report.known_fit == snapshot.fit_id:
            return LearnerReply(snapshot=snapshot)
        whole = {**{name: getattr(snapshot, name) for name in LearnerSnapshot.model_fields}, "fit": self._lessons.fit}
        return LearnerReply(snapshot=LearnerSnapshot(**whole))

    def _make_snapshot(self) -> LearnerSnapshot:
        return LearnerSnapshot(
            version=self._lessons.version,
            fit_id=self._lessons.fit_id,
            online=self._lessons.posterior.to_bytes(),
            rules=self._live_rules,
            live_tests=self._live_plans,
            best_single=self._best,
        )
