import random

import pytest

from neuroforge.contracts.rules import Estimate, Insight
from neuroforge.errors import ConflictError
from neuroforge.orchestrator.orchestrator import NeuroForgeOrchestrator
from neuroforge.router.fastest import LatencyRouter
from tests.fakes import FakeClock, FakeEngineClient, FakeFleetView, endpoint
from tests.unit.gateway.fakes_rules import FakeRules

INSIGHT = Insight(
    model_id="a", other_model_id="b", difference=Estimate(mean=0.1, low=0.0, high=0.2, n=9), source="exp-1"
)


def orchestrator(rules: FakeRules | None) -> NeuroForgeOrchestrator:
    clock = FakeClock()
    fleet = FakeFleetView(endpoint("a"), endpoint("b"), clock=clock)
    return NeuroForgeOrchestrator(
        LatencyRouter(clock), fleet, FakeEngineClient(), clock, rng=random.Random(0), rules=rules
    )


async def test_insights_reach_the_rules_with_the_models_of_the_fleet() -> None:
    rules = FakeRules()
    entry = await orchestrator(rules).update_routing_rules((INSIGHT,), shadow=True)
    assert (entry.state, rules.calls) == ("applied", [("update", "known", (INSIGHT,), ("a", "b"), True)])


async def test_without_a_learner_no_rules_can_change() -> None:
    with pytest.raises(ConflictError, match="this server keeps no routing rules"):
        await orchestrator(None).update_routing_rules((INSIGHT,))
