"""ConnectionPool: what is kept, what is not, and that no answer reaches another request."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from neuroforge.engines import http_pool
from neuroforge.engines.http1 import ConnectionLostError
from neuroforge.engines.http_pool import ConnectionPool, Origin
from tests.unit.engines.raw_server import RawServer, answer, raw_server

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    made = ConnectionPool()
    yield made
    made.close()


@pytest.fixture
def no_keepalive(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(http_pool, "KEEPALIVE_S", 0.0)
    return


def where(server: RawServer) -> Origin:
    return Origin("127.0.0.1", server.port, False)


async def test_a_connection_is_used_again_after_its_answer(pool: ConnectionPool) -> None:
    async with raw_server([answer(b"1"), answer(b"2")]) as server:
        for expected in (b"1", b"2"):
            assert await (await pool.ask(where(server), 5, GET)).read() == expected
        assert server.n_connections == 1
        pool.close()


async def test_two_requests_at_once_have_two_connections(pool: ConnectionPool) -> None:
    async with raw_server([answer(b"x")]) as server:
        answers = [await pool.ask(where(server), 5, GET) for _ in range(2)]
        assert [await one.read() for one in answers] == [b"x", b"x"]
        assert server.n_connections == 2
        pool.close()


async def test_an_old_connection_is_not_used(pool: ConnectionPool, no_keepalive: None) -> None:
    async with raw_server([answer(b"x")]) as server:
        for _ in range(2):
            await (await pool.ask(where(server), 5, GET)).read()
        assert server.n_connections == 2
        pool.close()


async def test_what_nobody_comes_back_for_is_closed(pool: ConnectionPool, no_keepalive: None) -> None:
    async with raw_server([answer(b"x")]) as server:
        await (await pool.ask(where(server), 5, GET)).read()
        await server.left.wait()


async def test_a_connection_that_the_server_closed_is_not_used(pool: ConnectionPool) -> None:
    async with raw_server([answer(b"1"), None], [answer(b"2")]) as server:
        await (await pool.ask(where(server), 5, GET)).read()
        while pool._idle[where(server)][0].is_open:
            await asyncio.sleep(0)
        assert await (await pool.ask(where(server), 5, GET)).read() == b"2"
        pool.close()


async def test_an_answer_given_up_closes_its_connection(pool: ConnectionPool) -> None:
    async with raw_server([ENDLESS]) as server:
        given_up = await pool.ask(where(server), 5, GET)
        given_up.close()
        await server.left.wait()
        with pytest.raises(ConnectionLostError):
            await given_up.read_some()


async def test_a_cancelled_request_closes_its_connection(pool: ConnectionPool) -> None:
    async with raw_server([b""]) as server:
        asking = asyncio.create_task(pool.ask(where(server), 5, GET))
        while not server.requests:
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.left.wait()


async def test_an_answer_given_back_reads_nothing_of_the_next(pool: ConnectionPool) -> None:
    async with raw_server([answer(b"first", b"Retry-After: 1"), answer(b"second")]) as server:
        first = await pool.ask(where(server), 5, GET)
        await first.read()
        second = await pool.ask(where(server), 5, GET)
        first.close()
        assert (await first.read_some(), first.at_end, first.headers["retry-after"]) == (b"", True, "1")
        assert await second.read() == b"second"
        assert server.n_connections == 1
        pool.close()


async def test_what_is_in_use_when_the_pool_closes_is_not_kept(pool: ConnectionPool) -> None:
    async with raw_server([answer(b"x")]) as server:
        late = await pool.ask(where(server), 5, GET)
        pool.close()
        assert await late.read() == b"x"
        await server.left.wait()
