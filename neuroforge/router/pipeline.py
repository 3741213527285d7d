"""The stages in order: filter -> features -> classify -> predict -> select -> Decision; and back: Outcome -> record."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from neuroforge.contracts.live_tests import LiveTestTag
from neuroforge.contracts.models import ModelEndpoint, ModelState
from neuroforge.contracts.outcomes import LearnerSnapshot, RecordLevel
from neuroforge.contracts.ports import Clock, Metrics
from neuroforge.contracts.routing import Decision, DecisionReason, FleetSnapshot, Outcome, RoutingRequest
from neuroforge.errors import DataError, EngineUnavailable, NeuroForgeError, RequestError
from neuroforge.router.affinity import PrefixMemory
from neuroforge.router.assign import assign, shadows_of
from neuroforge.router.belief import Belief, Fitted, build_belief
from neuroforge.router.clusters import TrafficSample
from neuroforge.router.conversation import read_turns
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fastest import LatencyRouter, has_bounds, new_decision_id
from neuroforge.router.filter import Verdict, filter_models
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.predict import Expected, PerformancePredictor, base_quality
from neuroforge.router.records import Aside, Described, Finished, Kept, RecordBuffer
from neuroforge.router.rules import RulesView
from neuroforge.router.select import AdaptiveLoadBalancer, Candidate
from neuroforge.router.senses import Senses
from neuroforge.router.throttle import Throttle
from neuroforge.router.views import show_candidates

logger = logging.getLogger(__name__)

FAILURES = "neuroforge_router_failures_total"
LEFT_OUT = "neuroforge_live_test_left_out_total"
"""Counter: requests that an arm of a live test could not take, by test, arm and reason."""
WARNING_PERIOD_S = 60.0
DESCRIPTIONS_PER_S = 4.0
DESCRIPTIONS_AT_ONCE = 20
"""Requests that needed no features and are described aside all the same, so that feedback on them teaches. Each takes
the event loop about a millisecond, so under load they are few; a person's requests are all described."""
MAX_LIVE = 8192
"""Decisions remembered until their end; of more the oldest go unrecorded."""

LoadFitted = Callable[[bytes, str], Fitted]
"""(bytes, hash of the embedder) -> fit. Raises DataError."""


@dataclass(frozen=True)
class RouterOptions:
    """What the operator decides."""

    seed: int = 0
    record: RecordLevel = "stats"


class LearnedRouter:
    """Router that decides by what was learned; by expected latency until then, and whenever the learned part fails."""

    def __init__(
        self, clock: Clock, wall_clock: Clock, metrics: Metrics, load_fitted: LoadFitted, options: RouterOptions
    ) -> None:
        """`clock` is monotonic, `wall_clock` Unix time."""
        self.buffer = RecordBuffer()
        self._plain = LatencyRouter(clock)
        self._wall_clock = wall_clock
        self._metrics = metrics
        self._load_fitted = load_fitted
        self._record = options.record
        self._lengths = OutputLengths()
        self._predictor = PerformancePredictor(self._plain.estimator, self._lengths)
        self._balancer = AdaptiveLoadBalancer(options.seed)
        self._seed = options.seed
        self._prefixes = PrefixMemory(clock)
        self._kept: dict[str, Kept] = {}
        self._senses: Senses | None = None
        self._belief: Belief | None = None
        self._pending: LearnerSnapshot | None = None
        self._sample = None if options.record == "none" else TrafficSample()
        self._may_warn = Throttle(clock, 1 / WARNING_PERIOD_S, burst=1)
        self._may_describe = Throttle(clock, DESCRIPTIONS_PER_S, burst=DESCRIPTIONS_AT_ONCE)

    @property
    def has_embedder(self) -> bool:
        """Whether requests can be described."""
        return self._senses is not None

    @property
    def known(self) -> tuple[int, str]:
        """Version and fit id of the newest snapshot taken; (0, "") before the first."""
        newest = self._pending or self._belief
        return (0, "") if newest is None else (newest.version, newest.fit_id)

    def equip(self, embedder: StaticEmbedder) -> None:
        """Take the embedder, and the snapshot that waited for it. Takes a while: not in the event loop.

        Raises:
            DataError: As `take`.
        """
        self._senses = Senses(embedder, self._lengths)
        if (pending := self._pending) is not None:
            self.take(pending)

    def take(self, snapshot: LearnerSnapshot) -> None:
        """Decide by this snapshot from now on. Takes milliseconds: not in the event loop.

        Before the embedder is there only the snapshot's rules are followed.
        Raises:
            DataError: It cannot be used; the one before stays in force, but for the rules, which are the new ones.
        """
        senses = self._senses
        if senses is None:
            self._pending = _with_fit_of(self._pending, snapshot)
            self._belief = Belief(
                snapshot.version,
                RulesView(snapshot.rules),
                best_single=snapshot.best_single,
                live_tests=snapshot.live_tests,
            )
            return
        embedder_hash = senses.embedder.sha256
        try:
            belief = build_belief(snapshot, self._belief, lambda data: self._load_fitted(data, embedder_hash))
            _check_basis(belief, senses)
        except DataError:
            kept = self._belief or Belief(0, RulesView(snapshot.rules))
            self._belief = replace(kept, rules=RulesView(snapshot.rules), live_tests=snapshot.live_tests)
            raise
        self._belief = belief
        self._pending = None

    def take_sample(self) -> tuple[TrafficSample, str] | None:
        """Return a full sample of the traffic with the embedder's hash, once; None while there is none, or no need."""
        if self._sample is None or not self._sample.is_full or self._senses is None:
            return None
        taken, self._sample = self._sample, TrafficSample()
        is_needed = self._belief is not None and not self._belief.fit_id
        return (taken, self._senses.embedder.sha256) if is_needed else None

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """As Router.decide; also RequestError: bounds that no candidate keeps."""
        if request.live_test is not None:
            return self._decide_for(request.live_test, request, snapshot)
        plans = () if self._belief is None else self._belief.live_tests
        if plans and (tag := assign(request, plans)) is not None:
            try:
                return self._decide_for(tag, request, snapshot)
            except NeuroForgeError as error:  # the arm's model cannot take this request: it is answered as usual
                self._metrics.count(LEFT_OUT, tags={"test": tag.test, "arm": tag.arm, "reason": error.code})
        decision = self._decide_usually(request, snapshot)
        if plans and (shadows := shadows_of(request, plans, decision.model_id)):
            control, *others = shadows
            tagged = Decision(**{**dict(decision), "live_test": control, "shadows": tuple(others)})
            self._kept[decision.decision_id] = self._kept[decision.decision_id]._replace(decision=tagged)
            return tagged
        return decision

    def _decide_for(self, tag: LiveTestTag, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """The arm's model, as if the caller had named it; reason `live_test` where the caller did not.

        Raises:
            NeuroForgeError: As `find_explicit`; EngineUnavailable also where the model is not ready.
        """
        endpoint = snapshot.find(tag.model_id)
        if endpoint is not None and endpoint.state != ModelState.READY:
            raise EngineUnavailable(f"{tag.model_id}: {endpoint.state}", model_id=tag.model_id)
        asked = RoutingRequest(**{**dict(request), "policy": "explicit", "model_id": tag.model_id})
        decision = self._plain.decide(asked, snapshot)
        is_another = tag.model_id != request.model_id
        values = {**dict(decision), "reason": "live_test" if is_another else decision.reason, "live_test": tag}
        return self._keep(asked, snapshot, Decision(**values), None)

    def _decide_usually(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        if request.policy == "explicit":
            return self._keep(request, snapshot, self._plain.decide(request, snapshot), None)
        verdicts = filter_models(request, snapshot)
        belief, senses = self._belief, self._senses
        is_choice = _is_choice(request, verdicts, belief)
        if is_choice and belief is not None and senses is not None:
            try:
                return self._decide_learned(request, snapshot, verdicts, belief, senses)
            except RequestError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever breaks the learned part must not break serving
                self._note_failure(error)
        rules = None if belief is None else belief.rules
        reason: DecisionReason = "router_unavailable" if is_choice else "expected_latency"
        decision = self._plain.decide_among(request, snapshot, verdicts, rules, reason)
        return self._keep(request, snapshot, decision, None)

    def started(self, decision: Decision) -> None:
        """As Router.started."""
        self._plain.started(decision)

    def finished(self, outcome: Outcome) -> None:
        """As Router.finished."""
        self._plain.finished(outcome)
        kept = self._kept.pop(outcome.decision_id, None)
        if kept is None:
            return
        profile = kept.decision.profile
        if profile is not None and outcome.status == 200:
            n_tokens = outcome.n_completion_tokens
            self._lengths.learn(outcome.model_id, profile.task_type, n_tokens)
            self._prefixes.remember(kept.request, outcome.model_id, outcome.n_prompt_tokens + n_tokens)
        if self._record != "none":
            self.buffer.add(self._finish(kept, outcome))

    def describe(self, finished: Finished) -> Finished:
        """Return it with what the learner learns from, where texts were kept for that and the router is ready."""
        belief, senses, aside = self._belief, self._senses, finished.aside
        if aside is None or not finished.turns or belief is None or senses is None:
            return finished
        endpoint = aside.fleet.find(finished.decision.model_id)
        if endpoint is None:
            return finished
        asked = senses.look(aside.request, belief, finished.turns)
        described = Described(asked.features, asked.basis, base_quality(asked, endpoint, belief))
        values = {**dict(finished.decision), "profile": asked.profile, "router_version": belief.version}
        return finished._replace(decision=Decision(**values), described=described)

    def _finish(self, kept: Kept, outcome: Outcome) -> Finished:
        request, decision, fleet, described = kept
        finished = Finished(decision, outcome, request.actor, self._wall_clock(), described)
        has_text = self._record == "text"
        if not has_text and (described is not None or not self._may_describe.admit()):
            return finished
        bare = RoutingRequest(**{**dict(request), "body": None})
        aside = Aside(bare, fleet) if described is None else None
        return finished._replace(turns=tuple(read_turns(request.body)), aside=aside)

    def _decide_learned(
        self,
        request: RoutingRequest,
        snapshot: FleetSnapshot,
        verdicts: tuple[Verdict, ...],
        belief: Belief,
        senses: Senses,
    ) -> Decision:
        asked = senses.look(request, belief)
        if self._sample is not None and not belief.fit_id:
            self._sample.see(senses.place(asked))
        endpoints = [one.endpoint for one in verdicts if one.filtered is None]
        expected = self._predictor.predict_all(asked, endpoints, belief)
        candidates = self._gather(request, endpoints, expected)
        chosen = self._balancer.select_optimal(request, asked.profile.task_type, candidates, belief)
        decision = Decision(
            decision_id=new_decision_id(),
            request_id=request.request_id,
            model_id=endpoints[chosen.place].model_id,
            policy=request.policy,
            reason=chosen.reason,
            snapshot_version=snapshot.version,
            candidates=show_candidates(verdicts, candidates, chosen, self._plain.estimator),
            profile=asked.profile,
            propensity=None if chosen.propensities is None else chosen.propensities[chosen.place],
            exploration=chosen.exploration,
            router_version=belief.version,
            rules_version=belief.rules.rules.version,
            seed=self._seed,
            holdout_model=None if chosen.holdout_place is None else endpoints[chosen.holdout_place].model_id,
        )
        described = Described(asked.features, asked.basis, expected.base_quality[chosen.place])
        return self._keep(request, snapshot, decision, described)

    def _gather(
        self, request: RoutingRequest, endpoints: Sequence[ModelEndpoint], expected: Expected
    ) -> list[Candidate]:
        warm = self._prefixes.find(request)
        return [
            Candidate(
                endpoint,
                prediction,
                0.0 if warm is None or warm.model_id == endpoint.model_id else warm.n_tokens * speed.s_per_prompt_token,
                self._plain.estimator.n_in_flight(endpoint.model_id),
            )
            for endpoint, prediction, speed in zip(endpoints, expected.predictions, expected.speeds, strict=True)
        ]

    def _keep(
        self, request: RoutingRequest, snapshot: FleetSnapshot, decision: Decision, described: Described | None
    ) -> Decision:
        if request.prompt is not None:
            decision = Decision(**{**dict(decision), "prompt": request.prompt})
        if len(self._kept) >= MAX_LIVE:
            del self._kept[next(iter(self._kept))]
        self._kept[decision.decision_id] = Kept(request, decision, snapshot, described)
        return decision

    def _note_failure(self, error: Exception) -> None:
        self._metrics.count(FAILURES, tags={"kind": type(error).__name__})
        if self._may_warn.admit():
            logger.warning(
                "the learned router failed; choosing by expected latency",
                extra={"kind": type(error).__name__, "error": str(error)},
                exc_info=error,
            )


def _is_choice(request: RoutingRequest, verdicts: tuple[Verdict, ...], belief: Belief | None) -> bool:
    """Whether there is something to weigh. Vectors of different models cannot be compared, so embeddings never are."""
    if "embedding" in request.requirements:
        return False
    if sum(one.filtered is None for one in verdicts) > 1 or has_bounds(request):
        return True
    return belief is not None and bool(belief.rules.rules.exclusions or belief.rules.rules.thresholds)


def _check_basis(belief: Belief, senses: Senses) -> None:
    if belief.clusters is not None and belief.clusters.embedder_sha256 != senses.embedder.sha256:
        raise DataError(f"snapshot {belief.version}: its kinds of requests were found with another embedder")
    n_basis = len(senses.look(RoutingRequest(request_id="", policy="auto"), belief).basis)
    n_learned = n_basis if belief.online is None else len(belief.online.prior_variances)
    if n_learned != n_basis:
        raise DataError(
            f"snapshot {belief.version}: posteriors of {n_learned} coefficients, requests are described by {n_basis}"
        )


def _with_fit_of(previous: LearnerSnapshot | None, snapshot: LearnerSnapshot) -> LearnerSnapshot:
    """The newer one, with the fit that the older one brought: it travels only once."""
    if previous is None or snapshot.fit is not None or snapshot.fit_id != previous.fit_id:
        return snapshot
    return LearnerSnapshot(**{**dict(snapshot), "fit": previous.fit})
