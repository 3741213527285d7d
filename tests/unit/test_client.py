import json
import threading
from collections.abc import Iterator

import pytest

from neuroforge import errors
from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.models import ModelSpec, ReplicaRange
from tests.unit.loopback import CHAT, MODEL, STATUS, Answer, Loopback, envelope, loopback


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def client(gateway: Loopback) -> Iterator[Client]:
    with Client(gateway.url, "nf-key", timeout_s=5.0) as one:
        yield one


def test_chat_sends_openais_body_and_the_key(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("POST", CHAT, {"id": "c1"})
    assert client.chat("Hi", temperature=0) == {"id": "c1"}
    sent = gateway.received[0]
    assert sent.json == {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
    assert sent.headers["authorization"] == "Bearer nf-key"


def test_connections_are_reused(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/v1/models", {"data": [{"id": "a"}, {"id": "b"}]})
    assert client.model_ids() == ("a", "b")
    assert client.model_ids() == ("a", "b")
    assert [one.connection for one in gateway.received] == [1, 1]


def test_a_connection_that_the_server_closed_is_not_used_again(gateway: Loopback, client: Client) -> None:
    gateway.answer("GET", "/v1/models", Answer(body=b'{"data": []}', headers={"connection": "close"}))
    client.model_ids()
    client.model_ids()
    assert [one.connection for one in gateway.received] == [1, 2]


def test_threads_share_one_client(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/v1/models", {"data": [{"id": "a"}]})
    found: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: found.append(client.model_ids())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("a",)] * 8


def test_embeddings_come_in_order(gateway: Loopback, client: Client) -> None:
    rows = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]
    gateway.answer_json("POST", "/v1/embeddings", {"data": rows})
    assert client.embeddings(["a", "b"], "e") == ((1.0, 2.0), (3.0, 4.0))


def test_prompts_are_text_or_messages(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("POST", "/v1/count_tokens", {"n_tokens": 3})
    assert client.count_tokens("Hi", "small").n_tokens == 3
    client.count_tokens([{"role": "user", "content": "Hi"}], "small")
    assert gateway.received[0].json == {"model": "small", "prompt": "Hi"}
    assert gateway.received[1].json == {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


def test_label_scores_keep_their_order(gateway: Loopback, client: Client) -> None:
    scores = [{"label": "B", "logprob": -0.5, "n_tokens": 1}, {"label": "A", "logprob": -1.5, "n_tokens": 2}]
    gateway.answer_json("POST", "/v1/label_logprobs", {"scores": scores, "n_prompt_tokens": 4})
    found = client.label_logprobs("Q", ["B", "A"], "small")
    assert [(one.label, one.logprob) for one in found.scores] == [("B", -0.5), ("A", -1.5)]


def test_the_fleet_is_managed_by_contracts(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/admin/v1/models", {"object": "list", "data": [MODEL]})
    gateway.answer_json("POST", "/admin/v1/models/small/load", MODEL, 202)
    gateway.answer_json("POST", "/admin/v1/models/small/unload", {**MODEL, "state": "unloading"}, 202)
    gateway.answer_json("POST", "/admin/v1/models/small/scale", MODEL, 202)
    gateway.answer_json("POST", "/admin/v1/apply", {"changes": [{"model_id": "a", "kind": "add"}], "applied": True})
    assert client.models()[0].id == "small"
    assert client.load("small").state == "ready"
    assert client.load("small", ModelSpec(id="small", parallel=2)).state == "ready"
    assert client.unload("small").state == "unloading"
    assert client.scale("small", ReplicaRange(min=0, max=2)).n_replicas == 1
    assert client.apply([ModelSpec(id="a")]).changes[0].kind == "add"
    assert gateway.received[1].body == b""
    assert gateway.received[2].json["parallel"] == 2
    assert gateway.received[4].json == {"min": 0, "max": 2}
    assert gateway.received[5].json["models"][0]["id"] == "a"


def test_keys_and_audit_are_contracts(gateway: Loopback, client: Client) -> None:
    key = {"id": "k1", "spec": {"name": "me", "scopes": ["admin"]}, "created_at_s": 1.0}
    event = {"at_s": 1.0, "actor": "k1", "action": "inference", "status": 200}
    record = {"seq": 1, "event": event, "previous_hash": "a", "hash": "b"}
    gateway.answer_json("POST", "/admin/v1/keys", {"key": {**key, "secret_sha256": "ff"}, "secret": "nf-k1-x"}, 201)
    gateway.answer_json("GET", "/admin/v1/keys", {"data": [key]})
    gateway.answer_json("DELETE", "/admin/v1/keys/k1", {**key, "revoked_at_s": 2.0})
    gateway.answer_json("GET", "/admin/v1/audit", {"data": [record]})
    gateway.answer_json("GET", "/admin/v1/audit/verify", {"n_records": 1, "is_intact": True})
    assert client.create_key(KeySpec(name="me")).secret == "nf-k1-x"
    assert client.list_keys()[0].spec.name == "me"
    assert client.revoke_key("k1").revoked_at_s == 2.0
    assert client.tail_audit(5, after_seq=7)[0].event.actor == "k1"
    assert client.verify_audit().is_intact
    assert gateway.received[3].path == "/admin/v1/audit?limit=5&after_seq=7"


def test_ids_are_quoted_in_paths(gateway: Loopback, client: Client) -> None:
    with pytest.raises(errors.NotFound):
        client.unload("../keys?x")
    assert gateway.received[0].path == "/admin/v1/models/..%2Fkeys%3Fx/unload"


def test_status_is_a_contract(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/admin/v1/status", {**STATUS, "models": [MODEL]})
    assert client.status().models[0].id == "small"


def test_an_answer_of_another_kind_is_an_error_that_names_the_fields(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/admin/v1/status", {**STATUS, "uptime_s": "long"})
    with pytest.raises(errors.EngineError, match=r"GatewayStatus.*uptime_s"):
        client.status()


def test_an_answer_that_is_not_json_is_an_error(gateway: Loopback, client: Client) -> None:
    gateway.answer("POST", CHAT, Answer(body=b"<html>"))
    with pytest.raises(errors.EngineError, match="not JSON"):
        client.chat("Hi")


def test_nobody_there_is_unavailable() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(errors.EngineUnavailable, match="nothing answers"):
        client.models()


def test_wait_ready_returns_once_ready(gateway: Loopback, client: Client) -> None:
    starting = Answer(503, json.dumps(envelope("model_unavailable")).encode())
    gateway.answer("GET", "/readyz", starting, Answer(body=b'{"status": "ready"}'))
    client.wait_ready(timeout_s=10)
    assert len(gateway.received) == 2


def test_wait_ready_gives_up(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/readyz", envelope("model_unavailable", "small is loading"), 503)
    with pytest.raises(errors.EngineTimeout, match="small is loading"):
        client.wait_ready(timeout_s=0.1)


def test_wait_ready_does_not_wait_with_a_refused_key(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/readyz", envelope("invalid_api_key"), 401)
    with pytest.raises(errors.AuthenticationError):
        client.wait_ready(timeout_s=60)


def test_is_ready_tells_without_raising(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("GET", "/readyz", envelope("model_unavailable"), 503)
    assert not client.is_ready()
    gateway.answer_json("GET", "/readyz", {"status": "ready"})
    assert client.is_ready()


def test_both_clients_offer_the_same() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)


def test_route_asks_for_the_decision_only(gateway: Loopback, client: Client) -> None:
    decision = {
        "decision_id": "d",
        "request_id": "r",
        "model_id": "m",
        "policy": "auto:fast",
        "reason": "utility",
        "snapshot_version": 1,
    }
    gateway.answer_json("POST", "/v1/route", decision)
    assert client.route("Hi", "auto:fast", neuroforge={"route": {"explore": False}}).model_id == "m"
    assert gateway.received[0].json == {
        "model": "auto:fast",
        "messages": [{"role": "user", "content": "Hi"}],
        "neuroforge": {"route": {"explore": False}},
    }


def test_an_answer_tells_its_decision_so_that_it_can_be_rated(gateway: Loopback, client: Client) -> None:
    told = {"x-neuroforge-decision": "d1;reason=utility"}
    gateway.answer("POST", CHAT, Answer(body=b'{"id": "c1"}', headers=told))
    answer = client.chat("Hi")
    assert answer == {"id": "c1", "neuroforge": {"decision_id": "d1", "reason": "utility"}}
