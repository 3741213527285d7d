"""Candidates with predictions -> the one that answers, why, and with which probability."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.routing import (
    DecisionReason,
    Exploration,
    FilterReason,
    Prediction,
    RoutingRequest,
    UtilityTerms,
)
from neuroforge.contracts.tasks import TaskType
from neuroforge.errors import RequestError
from neuroforge.router.belief import Belief
from neuroforge.router.bounds import apply_bounds, collect_bounds
from neuroforge.router.explore import draw
from neuroforge.router.holdout import is_holdout
from neuroforge.router.shares import Floats, Option, find_best, hold_out, share_out
from neuroforge.router.utility import quality_weight, weigh


class Weighed(NamedTuple):
    """One model that could answer, by its speed alone."""

    endpoint: ModelEndpoint
    expected_latency_s: float
    n_in_flight: int
    n_chosen: int
    """How often it was chosen before, to take turns among equals."""


class Candidate(NamedTuple):
    """One model that could answer, with what it would deliver."""

    endpoint: ModelEndpoint
    prediction: Prediction
    prefix_s: float
    """Seconds of reading anew what another model has in its cache."""
    n_in_flight: int


class Selection(NamedTuple):
    """Who answers; the lists are in the candidates' order."""

    place: int
    reason: DecisionReason
    exploration: Exploration
    filtered: list[FilterReason | None]
    terms: list[UtilityTerms | None]
    propensities: list[float] | None
    """Of the whole decision, the holdout's share included; None = nothing was drawn."""
    holdout_place: int | None = None
    """Who gets the holdout's share; None = the holdout could not take this one."""


class AdaptiveLoadBalancer:
    """Picks by utility under the live load; by speed alone where nothing is known of quality."""

    def __init__(self, seed: int = 0) -> None:
        """`seed` decides, with request id and version, what is drawn."""
        self._seed = seed

    def select_fastest(self, candidates: Sequence[Weighed]) -> Weighed:
        """Return the fastest; ties go to the shorter queue, then to the one chosen less often, then to the first.

        Args:
            candidates: At least one.
        """
        return min(candidates, key=lambda one: (one.expected_latency_s, one.n_in_flight, one.n_chosen))

    def select_optimal(
        self, request: RoutingRequest, task: TaskType, candidates: Sequence[Candidate], belief: Belief
    ) -> Selection:
        """Pick one, the same one again for the same seed, request id, belief and predictions.

        In this order: exclusions by rule, bounds of request and rules, a pin, then utility. A fallback and a request
        that forbids exploration take the best by utility; else the holdout's share goes to the best single model, and
        what remains is drawn. Ties go to the cheaper, then the faster, then the less busy one.
        Raises:
            RequestError: The rules exclude all, or no candidate keeps the bounds.
        """
        filtered = _exclude(task, candidates, belief)
        open_ones = [index for index, reason in enumerate(filtered) if reason is None]
        bounds = collect_bounds(request.route, belief.rules.threshold(task))
        broken = apply_bounds(bounds, [candidates[index].prediction for index in open_ones])
        for index, reason in zip(open_ones, broken, strict=True):
            filtered[index] = reason
        eligible = [index for index in open_ones if filtered[index] is None]
        terms = _weigh(request, candidates, eligible)
        return self._choose(request, task, _Field(candidates, eligible, filtered, terms), belief)

    def _choose(self, request: RoutingRequest, task: TaskType, field: "_Field", belief: Belief) -> Selection:
        options = field.options(quality_weight(request.policy, request.route.weights))
        best = field.eligible[find_best(options)]
        pinned = belief.rules.pin(task)
        for index in field.eligible:
            if field.candidates[index].endpoint.model_id == pinned and not request.excluded_models:
                return field.select(index, "pinned", "off_by_rule", None)
        if request.excluded_models:
            return field.select(best, "fallback", "off", None)
        if not request.route.explore:
            return field.select(best, "utility", "off_by_request", None)
        if len(field.eligible) == 1:
            return field.select(best, "utility", "off", None)
        rules = belief.rules.rules
        shares = field.spread_out(share_out(options, rules))
        exploration: Exploration = "on" if rules.explore else "off_by_rule"
        held = next((i for i in field.eligible if field.candidates[i].endpoint.model_id == belief.best_single), None)
        holdout_share = 0.0 if held is None else rules.holdout_share
        if not rules.explore and holdout_share == 0.0:
            return field.select(best, "utility", exploration, None)
        whole = shares if held is None else hold_out(shares, held, holdout_share)
        if held is not None and is_holdout(self._seed, request.request_id, holdout_share):
            return field.select(held, "holdout", exploration, whole)._replace(holdout_place=held)
        drawn = draw(shares, self._seed, request.request_id, belief.version)
        reason: DecisionReason = "utility" if drawn == best else "explored"
        return field.select(drawn, reason, exploration, whole)._replace(holdout_place=held if holdout_share else None)


class _Field(NamedTuple):
    """All candidates, and those among whom the choice is."""

    candidates: Sequence[Candidate]
    eligible: list[int]
    filtered: list[FilterReason | None]
    terms: list[UtilityTerms | None]

    def options(self, per_quality: float) -> list[Option]:
        """The eligible ones, in their order."""
        found = []
        for index in self.eligible:
            one, terms = self.candidates[index], self.terms[index]
            assert terms is not None, "eligible ones are weighed"  # noqa: S101
            made = one.prediction
            spread = per_quality * made.quality_std
            found.append(Option(terms.total, made.quality, spread, made.cost_usd, made.latency_s, one.n_in_flight))
        return found

    def spread_out(self, shares: Floats) -> Floats:
        """The eligible ones' shares among all candidates."""
        among_all = np.zeros(len(self.candidates))
        among_all[self.eligible] = shares
        return among_all

    def select(self, index: int, reason: DecisionReason, exploration: Exploration, shares: Floats | None) -> Selection:
        """Return the choice of one."""
        told = None if shares is None else shares.tolist()
        return Selection(index, reason, exploration, self.filtered, self.terms, told)


def _exclude(task: TaskType, candidates: Sequence[Candidate], belief: Belief) -> list[FilterReason | None]:
    out = belief.rules.excluded(task)
    filtered: list[FilterReason | None] = [
        "excluded_by_rule" if one.endpoint.model_id in out else None for one in candidates
    ]
    if None not in filtered:
        ids = ", ".join(sorted(one.endpoint.model_id for one in candidates))
        raise RequestError(
            f"the routing rules (version {belief.rules.rules.version}) exclude every model that could answer this "
            f"{task} request: {ids}; name the model to use it all the same",
            param="model",
        )
    return filtered


def _weigh(
    request: RoutingRequest, candidates: Sequence[Candidate], eligible: Sequence[int]
) -> list[UtilityTerms | None]:
    chosen = [candidates[index] for index in eligible]
    weighed = weigh(
        [one.prediction for one in chosen], [one.prefix_s for one in chosen], request.policy, request.route.weights
    )
    terms: list[UtilityTerms | None] = [None] * len(candidates)
    for index, one in zip(eligible, weighed, strict=True):
        terms[index] = one
    return terms
