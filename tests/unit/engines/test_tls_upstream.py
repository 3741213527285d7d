"""An upstream behind https, on both event loops: the test's and the one that Serve's replicas have."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.engines.client import HttpEngineClient
from neuroforge.engines.openai_http import UpstreamDialect
from neuroforge.errors import EngineUnavailable
from tests.fakes import endpoint, engine_request
from tests.unit.engines.certificates import Certified, certify
from tests.unit.engines.engine_server import EngineServer

CHAT = "/v1/chat/completions"
REPLY = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}
LONG = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 1_000_000}}]}
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def trusted(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> Certified:
    """As an operator would have it trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certified.authority))
    return certified


@asynccontextmanager
async def upstream(certified: Certified) -> AsyncIterator[tuple[EngineServer, HttpEngineClient]]:
    client = HttpEngineClient(None, {EngineKind.OPENAI_HTTP: UpstreamDialect()})
    async with EngineServer(certified.server) as server:
        server.answer(CHAT, REPLY)
        try:
            yield server, client
        finally:
            await client.close()


def at(server: EngineServer, host: str = "localhost", scheme: str = "https") -> ModelEndpoint:
    url = f"{scheme}://{host}:{server.port}/v1"
    return endpoint("remote", engine=EngineKind.OPENAI_HTTP, base_url=url, api_key="secret", max_retries=0)


def test_an_upstream_whose_authority_is_trusted_answers_over_one_connection(trusted: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(trusted) as (server, client):
            for _ in range(2):
                assert await client.complete(at(server), engine_request()) == REPLY
            assert server.headers[0]["Authorization"] == "Bearer secret"
            assert len(server.peers) == 1

    run(scenario())


def test_a_body_of_many_tls_records_arrives_whole(trusted: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(trusted) as (server, client):
            server.answer(CHAT, LONG)
            assert await client.complete(at(server), engine_request()) == LONG

    run(scenario())


def test_a_stream_comes_in_pieces(trusted: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(trusted) as (server, client):
            may_go_on = asyncio.Event()
            first, second = (b'data: {"choices": [], "n": %d}\n\n' % n for n in (1, 2))
            server.stream(CHAT, first, may_go_on, second, b"data: [DONE]\n\n")
            seen = []
            async for chunk in client.stream(at(server), engine_request(stream=True)):
                seen.append(chunk["n"])
                may_go_on.set()
            assert seen == [1, 2]

    run(scenario())


def test_an_authority_that_nobody_named_is_not_trusted(certified: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(certified) as (server, client):
            with pytest.raises(
                EngineUnavailable, match=r"certificate is not accepted .*issuer.*SSL_CERT_FILE"
            ) as failed:
                await client.complete(at(server), engine_request())
            assert failed.value.context == {"model_id": "remote", "may_have_begun": False}
            assert server.bodies == []

    run(scenario())


def test_a_certificate_of_another_host_is_not_accepted(trusted: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(trusted) as (server, client):
            with pytest.raises(EngineUnavailable, match=r"not valid for '127\.0\.0\.1'.*host name it was made for"):
                await client.complete(at(server, "127.0.0.1"), engine_request())
            assert server.bodies == []

    run(scenario())


def test_https_to_a_server_without_tls_is_no_connection(run: Run) -> None:
    async def scenario() -> None:
        client = HttpEngineClient(None, {EngineKind.OPENAI_HTTP: UpstreamDialect()})
        async with EngineServer() as server:
            with pytest.raises(EngineUnavailable, match=r"no connection \(SSLError\)"):
                await client.complete(at(server), engine_request())
            assert server.bodies == []
        await client.close()

    run(scenario())


def test_an_upstream_that_is_asked_whether_it_is_there_says_why_not(certified: Certified, run: Run) -> None:
    async def scenario() -> None:
        async with upstream(certified) as (server, client):
            with pytest.raises(EngineUnavailable, match="certificate is not accepted"):
                await client.check(at(server))

    run(scenario())
