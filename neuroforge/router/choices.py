"""A logged decision + rules -> with what probability each candidate would have been chosen.

What the log cannot tell stays as it was: a model that the request itself ruled out is not chosen, and a bound that the
new rules loosen does not bring back what it had filtered, for the request's own bound may have been the reason.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from neuroforge.contracts.routing import CandidateView, Decision, Prediction
from neuroforge.contracts.rules import QualityPrior, RoutingRules, Threshold
from neuroforge.contracts.tasks import TaskType
from neuroforge.router.rules import SCALARS, RulesView
from neuroforge.router.shares import Option, find_best, hold_out, share_out
from neuroforge.router.utility import WEIGHTS_BY_POLICY, weigh_costs

Shares = Mapping[str, float]
"""Probability by model id, summing to 1; empty = no candidate is left and the request is refused."""
NOT_THE_ROUTERS = frozenset({"explicit", "live_test", "fallback", "router_unavailable", "expected_latency"})
"""Reasons of decisions that rules and predictions did not make."""
_TOLERANCE = 1e-3
"""Of a logged distribution's sum."""
_SAME_COST = 1e-9
_NO_RULES = RulesView(RoutingRules())


class Policy(Protocol):
    """Whoever would have chosen among the candidates of a logged decision."""

    def choose(self, decision: Decision, logged: Shares) -> Shares:
        """`logged` is what the log says of the same decision."""
        ...


def logged_shares(decision: Decision) -> Shares | None:
    """The exact probabilities under which the decision was made, the holdout's share included.

    None where the router did not choose freely.
    """
    if decision.reason in NOT_THE_ROUTERS:
        return None
    if decision.propensity is None:
        return {decision.model_id: 1.0}
    shares = {view.model_id: view.propensity for view in decision.candidates if view.propensity}
    if shares.get(decision.model_id) is None or abs(sum(shares.values()) - 1.0) > _TOLERANCE:
        return None
    return shares


class RulesPolicy:
    """What the router would do under `rules`."""

    def __init__(self, rules: RoutingRules, history: Mapping[int, RoutingRules]) -> None:
        """`history`: rules by the version under which decisions were logged; of an unknown version, none demanded."""
        self._view = RulesView(rules)
        self._view_by_version = {version: RulesView(one) for version, one in history.items()}

    def choose(self, decision: Decision, logged: Shares) -> Shares:
        """As Policy.choose."""
        task = decision.profile.task_type if decision.profile is not None else None
        bounds = self._view.threshold(task)
        open_views = [view for view in decision.candidates if self._is_open(view, task, bounds)]
        if not open_views:
            return {}
        pin = self._view.pin(task)
        if any(view.model_id == pin for view in open_views):
            return {str(pin): 1.0}
        base = self._view_by_version.get(decision.rules_version, _NO_RULES)
        if self._is_as_logged(decision, open_views, task, base):
            return logged
        options = self._options(decision, open_views, task, base)
        return self._weigh(decision, options) if options else _keep(open_views, logged)

    def _is_open(self, view: CandidateView, task: TaskType | None, bounds: Threshold) -> bool:
        if view.filtered not in (None, "excluded_by_rule") or self._view.is_excluded(view.model_id, task):
            return False
        if view.filtered == "excluded_by_rule" and view.utility is None:
            return False
        return view.prediction is None or _is_within(view.prediction, bounds)

    def _is_as_logged(
        self, decision: Decision, open_views: Sequence[CandidateView], task: TaskType | None, base: RulesView
    ) -> bool:
        """Whether nothing that these rules demand differs, for this decision, from what held when it was made."""
        now, then = self._view.rules, base.rules
        if decision.reason == "pinned" or any(getattr(now, name) != getattr(then, name) for name in SCALARS):
            return False
        was_open = [view.model_id for view in decision.candidates if view.filtered is None]
        is_open = [view.model_id for view in open_views]
        return was_open == is_open and all(
            self._view.prior(model_id, task) == base.prior(model_id, task) for model_id in is_open
        )

    def _weigh(self, decision: Decision, options: Mapping[str, Option]) -> Shares:
        """As AdaptiveLoadBalancer does, from the logged predictions (tested to give the same)."""
        names, listed = list(options), list(options.values())
        if len(names) == 1 or decision.exploration not in ("on", "off_by_rule"):
            return {names[find_best(listed)]: 1.0}
        rules = self._view.rules
        shares = share_out(listed, rules)
        held = decision.holdout_model
        if rules.holdout_share > 0.0 and held is not None and held in options:
            shares = hold_out(shares, names.index(held), rules.holdout_share)
        return {name: float(share) for name, share in zip(names, shares, strict=True) if share > 0}

    def _options(
        self, decision: Decision, open_views: Sequence[CandidateView], task: TaskType | None, base: RulesView
    ) -> dict[str, Option]:
        """Those that were weighed, with what costs weigh in the smaller field and with the new rules' priors."""
        weighed = [view for view in open_views if view.prediction is not None and view.utility is not None]
        costs = _costs(decision, weighed) if weighed else {}
        found = {}
        for view in weighed:
            made, terms = view.prediction, view.utility
            if made is None or terms is None:
                continue
            old, new = base.prior(view.model_id, task), self._view.prior(view.model_id, task)
            quality = made.quality
            if old != new:
                quality = _exchange(quality, made.n_outcomes, old, new)
            weight = terms.quality / made.quality if made.quality > 0 else 1.0
            utility = weight * quality - costs[view.model_id] - terms.latency - terms.prefix
            spread = weight * made.quality_std
            found[view.model_id] = Option(utility, quality, spread, made.cost_usd, made.latency_s, view.n_in_flight)
        return found


def _costs(decision: Decision, views: Sequence[CandidateView]) -> dict[str, float]:
    """What costs count among these: a policy weighs them relative to one another, a request's own price does not."""
    weights = WEIGHTS_BY_POLICY.get(decision.policy)
    logged = [view for view in decision.candidates if view.utility is not None and view.prediction is not None]
    costs = {view.model_id: view.utility.cost for view in logged if view.utility is not None}
    if weights is None or len(views) == len(logged):
        return costs
    relative = weigh_costs([view.prediction for view in logged if view.prediction is not None], weights)
    if any(abs(found - cost) > _SAME_COST for found, cost in zip(relative, costs.values(), strict=True)):
        return costs
    left = weigh_costs([view.prediction for view in views if view.prediction is not None], weights)
    return {view.model_id: cost for view, cost in zip(views, left, strict=True)}


def _keep(open_views: Sequence[CandidateView], logged: Shares) -> Shares:
    """Where nothing was predicted, because there was one candidate: it stays, if it may."""
    kept = {view.model_id: logged.get(view.model_id, 0.0) for view in open_views}
    total = sum(kept.values())
    return {model_id: share / total for model_id, share in kept.items()} if total else {}


def _is_within(found: Prediction, bounds: Threshold) -> bool:
    return (
        (bounds.min_quality is None or found.quality >= bounds.min_quality)
        and (bounds.max_latency_s is None or found.latency_s <= bounds.max_latency_s)
        and (bounds.max_cost_usd is None or found.cost_usd <= bounds.max_cost_usd)
    )


def _exchange(quality: float, n_outcomes: float, old: QualityPrior | None, new: QualityPrior | None) -> float:
    """Take the old prior out of a predicted mean and put the new one in, each counting as its strength in outcomes."""
    weight, total = n_outcomes, quality * n_outcomes
    if old is not None:
        total = quality * (n_outcomes + old.strength) - old.quality * old.strength
    if new is not None:
        weight, total = weight + new.strength, total + new.quality * new.strength
    return min(max(total / weight, 0.0), 1.0) if weight > 0 else quality
