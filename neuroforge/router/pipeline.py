"""The stages in order: filter -> features -> classify -> predict -> select -> Decision; and back: Outcome -> record."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from neuroforge.contracts.live_tests import LiveTestTag
from neuroforge.contracts.models import ModelEndpoint, ModelState
from neuroforge.contracts.outcomes import RecordLevel
from neuroforge.contracts.ports import Clock, Metrics
from neuroforge.contracts.routing import Decision, DecisionReason, FleetSnapshot, Outcome, RoutingRequest
from neuroforge.errors import EngineUnavailable, NeuroForgeError, RequestError
from neuroforge.router.affinity import PrefixMemory
from neuroforge.router.assign import assign, shadows_of
from neuroforge.router.belief import Belief
from neuroforge.router.fastest import LatencyRouter, has_bounds, new_decision_id
from neuroforge.router.filter import Verdict, filter_models
from neuroforge.router.knowledge import Knowledge, LoadFitted
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.live_decisions import LiveDecisions
from neuroforge.router.predict import Expected, PerformancePredictor, base_quality
from neuroforge.router.records import Described, Finished
from neuroforge.router.select import AdaptiveLoadBalancer, Candidate
from neuroforge.router.senses import Senses
from neuroforge.router.throttle import Throttle
from neuroforge.router.views import show_candidates

logger = logging.getLogger(__name__)

FAILURES = "neuroforge_router_failures_total"
LEFT_OUT = "neuroforge_live_test_left_out_total"
"""Counter: requests that an arm of a live test could not take, by test, arm and reason."""
WARNING_PERIOD_S = 60.0


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
        lengths = OutputLengths()
        self.knowledge = Knowledge(load_fitted, lengths, has_sample=options.record != "none")
        self._live = LiveDecisions(clock, wall_clock, options.record)
        self.buffer = self._live.buffer
        self._plain = LatencyRouter(clock)
        self._metrics = metrics
        self._lengths = lengths
        self._predictor = PerformancePredictor(self._plain.estimator, lengths)
        self._balancer = AdaptiveLoadBalancer(options.seed)
        self._seed = options.seed
        self._prefixes = PrefixMemory(clock)
        self._may_warn = Throttle(clock, 1 / WARNING_PERIOD_S, burst=1)

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """As Router.decide; also RequestError: bounds that no candidate keeps."""
        if request.live_test is not None:
            return self._decide_for(request.live_test, request, snapshot)
        belief = self.knowledge.belief
        plans = () if belief is None else belief.live_tests
        if plans and (tag := assign(request, plans)) is not None:
            try:
                return self._decide_for(tag, request, snapshot)
            except NeuroForgeError as error:  # the arm's model cannot take this request: it is answered as usual
                self._metrics.count(LEFT_OUT, tags={"test": tag.test, "arm": tag.arm, "reason": error.code})
        decision = self._decide_usually(request, snapshot)
        if plans and (shadows := shadows_of(request, plans, decision.model_id)):
            control, *others = shadows
            tagged = Decision(**{**dict(decision), "live_test": control, "shadows": tuple(others)})
            self._live.replace(tagged)
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
        return self._live.keep(asked, snapshot, Decision(**values), None)

    def _decide_usually(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        if request.policy == "explicit":
            return self._live.keep(request, snapshot, self._plain.decide(request, snapshot), None)
        verdicts = filter_models(request, snapshot)
        belief, senses = self.knowledge.belief, self.knowledge.senses
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
        return self._live.keep(request, snapshot, decision, None)

    def started(self, decision: Decision) -> None:
        """As Router.started."""
        self._plain.started(decision)

    def finished(self, outcome: Outcome) -> None:
        """As Router.finished."""
        self._plain.finished(outcome)
        kept = self._live.end(outcome)
        if kept is None:
            return
        profile = kept.decision.profile
        if profile is not None and outcome.status == 200:
            n_tokens = outcome.n_completion_tokens
            self._lengths.learn(outcome.model_id, profile.task_type, n_tokens)
            self._prefixes.remember(kept.request, outcome.model_id, outcome.n_prompt_tokens + n_tokens)
        self._live.record(kept, outcome)

    def describe(self, finished: Finished) -> Finished:
        """Return it with what the learner learns from, where texts were kept for that and the router is ready."""
        belief, senses, aside = self.knowledge.belief, self.knowledge.senses, finished.aside
        if aside is None or not finished.turns or belief is None or senses is None:
            return finished
        endpoint = aside.fleet.find(finished.decision.model_id)
        if endpoint is None:
            return finished
        asked = senses.look(aside.request, belief, finished.turns)
        described = Described(asked.features, asked.basis, base_quality(asked, endpoint, belief))
        values = {**dict(finished.decision), "profile": asked.profile, "router_version": belief.version}
        return finished._replace(decision=Decision(**values), described=described)

    def _decide_learned(
        self,
        request: RoutingRequest,
        snapshot: FleetSnapshot,
        verdicts: tuple[Verdict, ...],
        belief: Belief,
        senses: Senses,
    ) -> Decision:
        asked = senses.look(request, belief)
        self.knowledge.sample(asked, belief, senses)
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
        return self._live.keep(request, snapshot, decision, described)

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
