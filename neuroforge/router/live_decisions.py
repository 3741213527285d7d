"""Decisions until their end: Decision -> kept -> with its Outcome what the learner may have of it."""

from neuroforge.contracts.outcomes import RecordLevel
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Decision, FleetSnapshot, Outcome, RoutingRequest
from neuroforge.router.conversation import read_turns
from neuroforge.router.records import Aside, Described, Finished, Kept, RecordBuffer
from neuroforge.router.throttle import Throttle

DESCRIPTIONS_PER_S = 4.0
DESCRIPTIONS_AT_ONCE = 20
"""Requests that needed no features and are described aside all the same, so that feedback on them teaches. Each takes
the event loop about a millisecond, so under load they are few; a person's requests are all described."""
MAX_LIVE = 8192
"""Decisions remembered until their end; of more the oldest go unrecorded."""


class LiveDecisions:
    """What a replica remembers of requests that are on their way."""

    def __init__(self, clock: Clock, wall_clock: Clock, record: RecordLevel) -> None:
        """`clock` is monotonic, `wall_clock` Unix time."""
        self.buffer = RecordBuffer()
        """Of those that ended, for the learner."""
        self._wall_clock = wall_clock
        self._record = record
        self._kept: dict[str, Kept] = {}
        self._may_describe = Throttle(clock, DESCRIPTIONS_PER_S, burst=DESCRIPTIONS_AT_ONCE)

    def keep(
        self, request: RoutingRequest, snapshot: FleetSnapshot, decision: Decision, described: Described | None
    ) -> Decision:
        """Remember it, and return it with the prompt that was asked for."""
        if request.prompt is not None:
            decision = Decision(**{**dict(decision), "prompt": request.prompt})
        if len(self._kept) >= MAX_LIVE:
            del self._kept[next(iter(self._kept))]
        self._kept[decision.decision_id] = Kept(request, decision, snapshot, described)
        return decision

    def replace(self, decision: Decision) -> None:
        """Remember another decision of the same id, which is kept already."""
        self._kept[decision.decision_id] = self._kept[decision.decision_id]._replace(decision=decision)

    def end(self, outcome: Outcome) -> Kept | None:
        """Forget it and return what was kept; None = it was not, or is over already."""
        return self._kept.pop(outcome.decision_id, None)

    def record(self, kept: Kept, outcome: Outcome) -> None:
        """Put what may be kept of it in the buffer."""
        if self._record != "none":
            self.buffer.add(self._finish(kept, outcome))

    def _finish(self, kept: Kept, outcome: Outcome) -> Finished:
        request, decision, fleet, described = kept
        finished = Finished(decision, outcome, request.actor, self._wall_clock(), described)
        has_text = self._record == "text"
        if not has_text and (described is not None or not self._may_describe.admit()):
            return finished
        bare = RoutingRequest(**{**dict(request), "body": None})
        aside = Aside(bare, fleet) if described is None else None
        return finished._replace(turns=tuple(read_turns(request.body)), aside=aside)
