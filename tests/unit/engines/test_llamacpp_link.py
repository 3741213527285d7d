"""LlamaCppLink: the connection opened ahead, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from neuroforge.engines import llamacpp_link
from neuroforge.engines.http1 import ConnectionLostError, NotConnectedError
from neuroforge.engines.llamacpp_link import LlamaCppLink
from tests.unit.engines.raw_server import RawServer, Script, answer, raw_server

ONE: Script = [answer(b"x")]


@asynccontextmanager
async def linked(*scripts: Script) -> AsyncIterator[tuple[RawServer, LlamaCppLink]]:
    async with raw_server(*scripts) as server:
        link = LlamaCppLink(f"http://127.0.0.1:{server.port}", {"Authorization": "Bearer key"})
        yield server, link
        link.close()


async def ask(link: LlamaCppLink) -> bytes:
    connection = await link.ask("POST", "/completion", b"{}")
    body = await connection.read()
    connection.close()
    return body


async def connected(server: RawServer, n: int) -> None:
    while server.n_connections < n:
        await asyncio.sleep(0)


async def test_a_request_has_path_key_length_and_body() -> None:
    async with linked(ONE) as (server, link):
        assert await ask(link) == b"x"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], body) == (b"POST /completion HTTP/1.1", b"{}")
    assert set(lines[1:]) == {
        b"Host: 127.0.0.1:%d" % server.port,
        b"Authorization: Bearer key",
        b"Connection: close",
        b"Content-Length: 2",
    }


async def test_the_connection_opened_ahead_is_used_once() -> None:
    async with linked(ONE) as (server, link):
        link.prepare()
        await connected(server, 1)
        await ask(link)
        assert server.n_connections == 1
        await ask(link)
        assert server.n_connections == 2


async def test_one_connection_is_opened_ahead_however_often_it_is_asked_for() -> None:
    async with linked(ONE) as (server, link):
        link.prepare()
        link.prepare()
        await connected(server, 1)
        await asyncio.sleep(0)
        link.prepare()
        await ask(link)
        assert server.n_connections == 1


async def test_an_old_connection_is_closed_and_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_link, "SPARE_FOR_S", 0.0)
    async with linked(ONE) as (server, link):
        link.prepare()
        await connected(server, 1)
        await asyncio.sleep(0)
        await ask(link)
        assert server.n_connections == 2
        await server.left.wait()


async def test_a_request_outlives_a_spare_connection_that_has_just_ended() -> None:
    async with linked([b"", None], ONE) as (server, link):
        link.prepare()
        await connected(server, 1)
        assert await ask(link) == b"x"
        assert server.n_connections == 2


async def test_a_loss_on_a_fresh_connection_is_told() -> None:
    async with linked([b"", None]) as (_, link):
        with pytest.raises(ConnectionLostError):
            await ask(link)


async def test_nobody_there_is_told_at_the_request_and_not_before(free_port: int) -> None:
    link = LlamaCppLink(f"http://127.0.0.1:{free_port}", {})
    link.prepare()
    while link._opening is not None:
        await asyncio.sleep(0)
    with pytest.raises(NotConnectedError):
        await ask(link)


async def test_closing_hangs_up_and_opens_nothing_more() -> None:
    async with linked(ONE) as (server, link):
        link.prepare()
        await connected(server, 1)
        await asyncio.sleep(0)
        link.close()
        link.prepare()
        await server.left.wait()
        assert server.n_connections == 1
