import pytest

from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.rules import Estimate, Insight, Pin, RoutingRules
from neuroforge.errors import ConflictError
from tests.unit.gateway.fakes_rules import entry
from tests.unit.loopback import Answer, Loopback, loopback

RULES = "/admin/v1/router/rules"
KNOWN = entry("rules-1")
INSIGHT = Insight(
    model_id="a", other_model_id="b", difference=Estimate(mean=0.1, low=0.0, high=0.2, n=9), source="exp-1"
)


def answers(gateway: Loopback, *paths: str) -> None:
    for path in paths:
        gateway.answer("POST", path, Answer(body=KNOWN.model_dump_json().encode()))


def test_rules_are_listed_as_contracts() -> None:
    with loopback() as gateway, Client(gateway.url) as client:
        gateway.answer("GET", RULES, Answer(body=b'{"data": [%s]}' % KNOWN.model_dump_json().encode()))
        assert client.rules() == (KNOWN,)


def test_a_proposal_sends_only_what_was_set() -> None:
    with loopback() as gateway, Client(gateway.url) as client:
        answers(gateway, RULES)
        assert client.propose_rules(RoutingRules(version=4, reason="why", pins=(Pin(model_id="a"),))) == KNOWN
        assert gateway.received[0].json == {"reason": "why", "pins": [{"model_id": "a"}]}


def test_changes_go_to_their_routes() -> None:
    paths = ["rules-1/shadow", "rules-1/apply", "rules-1/apply?force=true", "rollback", "rollback?version=0"]
    with loopback() as gateway, Client(gateway.url) as client:
        answers(gateway, *(f"{RULES}/{path}" for path in paths))
        client.shadow_rules("rules-1")
        client.apply_rules("rules-1")
        client.apply_rules("rules-1", force=True)
        client.rollback_rules()
        client.rollback_rules(0)
        assert [one.path for one in gateway.received] == [f"{RULES}/{path}" for path in paths]


def test_a_refusal_is_a_conflict_with_the_servers_words() -> None:
    body = b'{"error": {"message": "not enough evidence", "type": "t", "param": null, "code": "conflict"}}'
    with loopback() as gateway, Client(gateway.url) as client:
        gateway.answer("POST", f"{RULES}/rules-1/apply", Answer(409, body))
        with pytest.raises(ConflictError, match="not enough evidence"):
            client.apply_rules("rules-1")


async def test_insights_are_sent_by_the_async_client_too() -> None:
    with loopback() as gateway:
        answers(gateway, f"{RULES}/insights")
        async with AsyncClient(gateway.url) as client:
            assert await client.update_routing_rules([INSIGHT], shadow=True) == KNOWN
        assert gateway.received[0].json == {"insights": [INSIGHT.model_dump(mode="json")], "shadow": True}
