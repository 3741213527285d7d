from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.keys import AuthSnapshot, KeySpec
from neuroforge.errors import AuthenticationError
from neuroforge.gateway.auth import Authenticator
from neuroforge.gateway.call import Call, open_call
from neuroforge.gateway.parts import GatewayOptions
from tests.unit.gateway.fakes import Client, Gateway, Reply, make_key

CHAT: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
PATH = "/v1/chat/completions"


async def ask(
    spec: KeySpec | None, secret: str | None = None, peer: str = "127.0.0.1", path: str = PATH, **options: Any
) -> Reply:
    """Ask a gateway that has one key of this spec, with its secret unless another is given."""
    gateway = Gateway()
    headers = options.pop("headers", None)
    if spec is not None:
        key, made = make_key("k1", spec)
        gateway.state.keys.append(key)
        secret = made if secret is None else secret
    async with gateway.running(**options) as client:
        client.peer, client.secret = peer, secret or None
        if path.startswith("/admin"):
            return await client.get(path, headers=headers)
        return await client.post(path, CHAT, headers=headers)


@pytest.mark.parametrize("secret", ["", "nf-k1-wrong", "nf-zz-secret_of-k1", "sk-other", "nf-k1-", "nf--", "nf-k1-a b"])
async def test_no_key_or_a_wrong_one_is_a_401(secret: str) -> None:
    reply = await ask(KeySpec(name="a"), secret)
    assert (reply.status, reply.error["code"], reply.headers["www-authenticate"]) == (401, "invalid_api_key", "Bearer")


async def test_the_right_key_is_let_in() -> None:
    assert (await ask(KeySpec(name="a"))).status == 200


async def test_a_revoked_key_is_a_401_and_does_not_open_the_gateway() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", revoked_at_s=5.0)
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        without = await client.post(PATH, CHAT)
        client.secret = secret
        revoked = await client.post(PATH, CHAT)
    assert (without.status, revoked.status) == (401, 401)


@pytest.mark.parametrize(("scope", "path"), [("inference", "/admin/v1/status"), ("admin", PATH)])
async def test_a_key_without_the_scope_is_a_403(scope: Any, path: str) -> None:
    reply = await ask(KeySpec(name="a", scopes=frozenset({scope})), path=path)
    assert (reply.status, reply.error["code"]) == (403, "permission_denied")


async def test_a_key_for_other_models_is_a_403_that_names_the_field() -> None:
    reply = await ask(KeySpec(name="a", allowed_models=frozenset({"big"})))
    assert (reply.status, reply.error["param"]) == (403, "model")


async def test_auto_chooses_among_the_keys_models() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a", allowed_models=frozenset({"big"})))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        await client.post(PATH, {**CHAT, "model": "auto"})
    assert gateway.orchestrator.routings[0].allowed_models == frozenset({"big"})


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_without_keys_this_machine_is_served(peer: str) -> None:
    assert (await ask(None, peer=peer)).status == 200


@pytest.mark.parametrize("peer", ["10.0.0.2", "8.8.8.8", "fe80::1", "nonsense"])
async def test_without_keys_another_machine_is_a_403(peer: str) -> None:
    assert (await ask(None, peer=peer)).status == 403


async def test_a_proxy_on_this_machine_may_have_an_address_of_its_own() -> None:
    assert (await ask(None, peer="10.0.0.2", local_peers=frozenset({"10.0.0.2"}))).status == 200


async def test_without_keys_a_call_forwarded_for_another_machine_is_a_403() -> None:
    assert (await ask(None, headers={"x-forwarded-for": "127.0.0.1, 10.0.0.9"})).status == 403


@pytest.mark.parametrize("options", [{"is_loopback": False}, {"require_keys": True}])
async def test_where_keys_are_demanded_nobody_comes_in_without_one(options: dict[str, Any]) -> None:
    assert (await ask(None, **options)).status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[bad"])
async def test_without_keys_a_rebound_host_name_is_a_403(host: str) -> None:
    assert (await ask(None, headers={"host": host})).status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000", "forge.local:80"])
async def test_without_keys_own_host_names_are_served(host: str) -> None:
    assert (await ask(None, headers={"host": host}, allowed_hosts=frozenset({"forge.local"}))).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:8000", 200), ("http://ui.local", 200)],
)
async def test_without_keys_only_own_pages_may_administrate(origin: str, status: int) -> None:
    reply = await ask(None, path="/admin/v1/status", headers={"origin": origin}, cors_origins=("http://ui.local",))
    assert reply.status == status


async def test_before_the_keys_are_known_nobody_is_let_in() -> None:
    reply = await Client(Gateway().build()).post(PATH, CHAT)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def call_with(header: str) -> Call:
    headers = [(b"authorization", header.encode("latin-1", "replace"))]
    return open_call({"headers": headers, "method": "GET", "path": "/", "client": ("127.0.0.1", 1)}, 0.0, False)


@given(st.text(max_size=80) | st.from_regex(r"Bearer nf-k1-[A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_no_authorization_header_but_the_right_one_is_let_in(header: str) -> None:
    auth = Authenticator(GatewayOptions(replica_id="g", version="0"))
    auth.update(AuthSnapshot(keys=(make_key("k1")[0],)))
    if header == "Bearer nf-k1-secret_of-k1":
        return
    with pytest.raises(AuthenticationError) as caught:
        auth.identify(call_with(header), "inference")
    assert "secret" not in str(caught.value).replace("<secret>", "")
