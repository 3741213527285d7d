"""RoutingRequest + running live tests -> the arm that answers, or none; the same in every replica, without memory.

Arms are drawn by weighted rendezvous hashing: each arm's hash with the unit gives an exponential variate, divided by
the arm's weight, and the smallest wins. So an arm is chosen with exactly its weight, a unit stays with its arm while
weights stay, and when they shift no more units move than must.
Source: Schindelhauer and Schomaker, Weighted distributed hash tables, SPAA 2005.
"""

import hashlib
import math
from collections.abc import Sequence

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestPlan, LiveTestSpec, LiveTestTag
from neuroforge.contracts.routing import RoutingRequest

_HASH_BYTES = 8
_HASH_RANGE = 2.0 ** (8 * _HASH_BYTES)
UNIT_DIGITS = 2 * _HASH_BYTES


def assign(request: RoutingRequest, plans: Sequence[LiveTestPlan]) -> LiveTestTag | None:
    """Return the arm that shall answer this request; None = it takes part in no test.

    A request that already failed elsewhere takes no part, nor one whose route demands something: bounds are kept, never
    traded for a measurement.
    """
    plan = _plan_for(request, plans)
    if plan is None or plan.spec.mode == "shadow":
        return None
    unit = unit_of(plan.spec, request)
    arm = draw_arm(unit, plan.spec.arms, plan.weights)
    return _tag(plan.spec, arm, unit)


def shadows_of(request: RoutingRequest, plans: Sequence[LiveTestPlan], chosen: str) -> tuple[LiveTestTag, ...]:
    """Return the arms to be asked beside the model that was chosen, with the tag of the control first.

    Nothing where the control is not what was chosen: the comparison would not be of the same requests.
    """
    plan = _plan_for(request, plans)
    if plan is None or plan.spec.mode != "shadow" or plan.spec.arms[0].model_id != chosen:
        return ()
    unit = unit_of(plan.spec, request)
    return tuple(_tag(plan.spec, arm, unit) for arm in plan.spec.arms)


def unit_of(spec: LiveTestSpec, request: RoutingRequest) -> str:
    """Return the hash of what is observed once: a session, a user or a request, as 16 hexadecimal digits."""
    kind, value = "request", request.request_id
    if spec.sticky == "session" and request.route.session is not None:
        kind, value = "session", f"{request.actor}\0{request.route.session}"
    elif spec.sticky == "user":
        user = request.body.get("user") if isinstance(request.body, dict) else None
        kind, value = "user", f"{request.actor}\0{user if isinstance(user, str) else ''}"
    return _digest(spec.name, kind, value).hex()


def draw_arm(unit: str, arms: Sequence[LiveTestArm], weights: Sequence[float]) -> LiveTestArm:
    """Return the unit's arm; each is drawn with its weight."""
    keys = [
        -math.log(_uniform("arm", unit, arm.name)) / weight if weight > 0 else math.inf
        for arm, weight in zip(arms, weights, strict=True)
    ]
    return arms[keys.index(min(keys))]


def _plan_for(request: RoutingRequest, plans: Sequence[LiveTestPlan]) -> LiveTestPlan | None:
    if not request.can_be_tested or request.excluded_models or "embedding" in request.requirements:
        return None
    target = request.model_id if request.policy == "explicit" else request.policy
    plan = next((one for one in plans if one.spec.target == target), None)
    if plan is None or _demands_something(request):
        return None
    if "chat" not in request.requirements and any(arm.system is not None for arm in plan.spec.arms):
        return None  # a raw prompt has no system message
    is_taken = _uniform("share", unit_of(plan.spec, request)) <= plan.spec.share
    return plan if is_taken else None


def _demands_something(request: RoutingRequest) -> bool:
    route = request.route
    demands = (route.max_latency_s, route.max_cost_usd, route.min_quality, route.candidates)
    return not route.explore or any(one is not None for one in demands)


def _tag(spec: LiveTestSpec, arm: LiveTestArm, unit: str) -> LiveTestTag:
    return LiveTestTag(test=spec.name, arm=arm.name, unit=unit, model_id=arm.model_id, system=arm.system)


def _uniform(*parts: str) -> float:
    """In (0, 1]: its logarithm is finite."""
    return (int.from_bytes(_digest(*parts), "big") + 1) / _HASH_RANGE


def _digest(*parts: str) -> bytes:
    text = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=_HASH_BYTES, key=b"live test").digest()
