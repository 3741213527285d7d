"""Which arm of a live test answers a request."""

from collections import Counter
from typing import Any

import pytest

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestPlan, LiveTestSpec
from neuroforge.contracts.routing import RouteOptions, RoutingRequest
from neuroforge.router.assign import assign, draw_arm, shadows_of, unit_of

CONTROL = LiveTestArm(name="control", model_id="small")
OTHER = LiveTestArm(name="other", model_id="large")


def plan(weights: tuple[float, ...] = (0.5, 0.5), **changes: Any) -> LiveTestPlan:
    fields: dict[str, Any] = {"name": "t", "target": "auto", "arms": (CONTROL, OTHER), "sticky": "request"}
    return LiveTestPlan(spec=LiveTestSpec(**(fields | changes)), weights=weights)


def request(number: int = 0, **changes: Any) -> RoutingRequest:
    fields: dict[str, Any] = {
        "request_id": f"r{number}",
        "policy": "auto",
        "requirements": frozenset({"chat"}),
        "can_be_tested": True,
    }
    return RoutingRequest(**(fields | changes))


def arms_of(requests: list[RoutingRequest], one: LiveTestPlan) -> list[str | None]:
    tags = [assign(asked, (one,)) for asked in requests]
    return [None if tag is None else tag.arm for tag in tags]


class TestShares:
    def test_arms_are_drawn_with_their_weights(self) -> None:
        counts = Counter(arms_of([request(number) for number in range(20_000)], plan((0.2, 0.8))))

        assert counts["other"] / 20_000 == pytest.approx(0.8, abs=0.012)  # 4 standard errors

    def test_an_arm_of_no_weight_is_never_drawn(self) -> None:
        assert set(arms_of([request(number) for number in range(500)], plan((1.0, 0.0)))) == {"control"}

    def test_only_the_share_takes_part(self) -> None:
        found = arms_of([request(number) for number in range(20_000)], plan(share=0.1))

        assert 1 - Counter(found)[None] / 20_000 == pytest.approx(0.1, abs=0.009)

    def test_when_weights_shift_only_the_units_that_must_move(self) -> None:
        units = [unit_of(plan().spec, request(number)) for number in range(2_000)]
        before = [draw_arm(unit, (CONTROL, OTHER), (0.5, 0.5)).name for unit in units]
        after = [draw_arm(unit, (CONTROL, OTHER), (0.4, 0.6)).name for unit in units]

        moves = Counter((old, new) for old, new in zip(before, after, strict=True) if old != new)

        assert set(moves) == {("control", "other")}
        assert moves["control", "other"] / 2_000 == pytest.approx(0.1, abs=0.03)


class TestStickiness:
    def test_a_session_keeps_its_arm(self) -> None:
        route = RouteOptions(session="s1")

        found = arms_of([request(number, route=route) for number in range(50)], plan(sticky="session"))

        assert len(set(found)) == 1

    def test_the_same_session_name_of_two_callers_is_two_units(self) -> None:
        spec = plan(sticky="session").spec
        route = RouteOptions(session="s1")

        assert unit_of(spec, request(route=route, actor="a")) != unit_of(spec, request(route=route, actor="b"))

    def test_a_user_keeps_the_arm_over_sessions(self) -> None:
        asked = [request(n, route=RouteOptions(session=f"s{n}"), body={"user": "ann"}) for n in range(50)]

        assert len(set(arms_of(asked, plan(sticky="user")))) == 1

    def test_without_a_session_each_request_is_by_itself(self) -> None:
        found = arms_of([request(number) for number in range(200)], plan(sticky="session"))

        assert set(found) == {"control", "other"}


class TestWhoTakesPart:
    def test_a_model_that_is_named_can_be_the_target(self) -> None:
        asked = request(policy="explicit", model_id="small")

        assert assign(asked, (plan(target="small"),)) is not None
        assert assign(asked, (plan(target="large"),)) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"can_be_tested": False},
            {"excluded_models": frozenset({"small"})},
            {"policy": "auto:cheap"},
            {"requirements": frozenset({"embedding"})},
            {"route": RouteOptions(explore=False)},
            {"route": RouteOptions(max_latency_s=5)},
            {"route": RouteOptions(candidates=("small",))},
        ],
    )
    def test_these_take_no_part(self, changes: dict[str, Any]) -> None:
        assert assign(request(**changes), (plan(),)) is None

    def test_an_arm_with_a_system_message_takes_chats_only(self) -> None:
        worded = LiveTestArm(name="worded", model_id="small", system="Be brief.")
        of_prompts = plan(arms=(CONTROL, worded))

        assert assign(request(requirements=frozenset({"completion"})), (of_prompts,)) is None
        assert assign(request(), (of_prompts,)) is not None


class TestShadows:
    def test_the_others_are_asked_where_the_control_answers(self) -> None:
        found = shadows_of(request(), (plan(mode="shadow", metric="success"),), chosen="small")

        assert [tag.arm for tag in found] == ["control", "other"]
        assert len({tag.unit for tag in found}) == 1

    def test_nobody_is_asked_where_another_model_answers(self) -> None:
        assert shadows_of(request(), (plan(mode="shadow", metric="success"),), chosen="large") == ()

    def test_a_shadow_test_gives_no_request_to_an_arm(self) -> None:
        assert assign(request(), (plan(mode="shadow", metric="success"),)) is None
