"""HttpConnection against a server that says exactly what a test wants."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.engines.http1 import (
    MAX_HEAD_BYTES,
    PAUSE_AT_BYTES,
    ConnectionLostError,
    HttpConnection,
    HttpLinkError,
    NotConnectedError,
    NotHttpError,
    connect,
)
from tests.unit.engines.raw_server import RawServer, answer, raw_server

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def asked(server: RawServer) -> HttpConnection:
    connection = await connect("127.0.0.1", server.port, 5)
    await connection.ask(GET)
    return connection


async def ask_and_read(connection: HttpConnection) -> bytes:
    await connection.ask(GET)
    return await connection.read()


async def test_an_answer_comes_back_and_the_connection_serves_again() -> None:
    async with raw_server([answer(b"one"), answer(b"two", status=b"404 Not Found")]) as server:
        connection = await asked(server)
        assert (connection.status, await connection.read(), connection.can_be_reused) == (200, b"one", True)
        await connection.ask(GET)
        assert (connection.status, await connection.read()) == (404, b"two")
        assert server.n_connections == 1
        connection.close()


async def test_headers_of_one_answer_do_not_reach_the_next() -> None:
    async with raw_server([answer(b"", b"Retry-After: 3"), answer(b"")]) as server:
        connection = await asked(server)
        first = connection.headers
        await connection.read()
        await connection.ask(GET)
        assert (b"Retry-After", b"3") in first
        assert (b"Retry-After", b"3") not in connection.headers
        connection.close()


async def test_an_answer_without_a_body_is_complete() -> None:
    async with raw_server([b"HTTP/1.1 204 No Content\r\n\r\n"]) as server:
        connection = await asked(server)
        assert await connection.read() == b""
        assert connection.can_be_reused
        connection.close()


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async with raw_server([b"HTTP/1.1 200 OK\r\n\r\nto the end", None]) as server:
        connection = await asked(server)
        assert await connection.read() == b"to the end"
        assert not connection.can_be_reused
        connection.close()


async def test_an_interim_answer_is_passed_over() -> None:
    async with raw_server([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"now")]) as server:
        connection = await asked(server)
        assert (connection.status, await connection.read()) == (200, b"now")
        assert [name for name, _ in connection.headers] == [b"Content-Length"]
        connection.close()


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x", b"Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        answer(b"x") + answer(b"nobody asked"),
    ],
    ids=["close", "old", "two at once"],
)
async def test_such_a_connection_is_not_used_again(said: bytes) -> None:
    async with raw_server([said]) as server:
        connection = await asked(server)
        assert await connection.read() == b"x"
        assert not connection.can_be_reused
        connection.close()


async def test_words_between_two_answers_close_the_connection() -> None:
    async with raw_server([answer(b"x")]) as server:
        connection = await asked(server)
        await connection.read()
        connection.data_received(b"HTTP/1.1 200 OK\r\n")
        assert not connection.is_open


async def test_an_unread_answer_keeps_the_connection_from_others() -> None:
    async with raw_server([answer(b"unread")]) as server:
        connection = await asked(server)
        while not connection._is_complete:
            await asyncio.sleep(0)
        assert not connection.can_be_reused
        connection.close()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", CHUNKED + b"5\r\nhel"]
)
async def test_a_connection_that_ends_early_is_lost(said: bytes) -> None:
    async with raw_server([said, None]) as server:
        connection = await connect("127.0.0.1", server.port, 5)
        with pytest.raises(ConnectionLostError):
            await ask_and_read(connection)
        with pytest.raises(ConnectionLostError):
            await connection.ask(GET)


async def test_what_came_before_a_loss_is_given_first() -> None:
    async with raw_server([CHUNKED + b"5\r\nhello\r\n", None]) as server:
        connection = await asked(server)
        assert await connection.read_some() == b"hello"
        with pytest.raises(ConnectionLostError):
            await connection.read_some()


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", CHUNKED + b"zz\r\n"])
async def test_what_is_no_http_is_told_apart(said: bytes) -> None:
    async with raw_server([said]) as server:
        connection = await connect("127.0.0.1", server.port, 5)
        with pytest.raises(NotHttpError):
            await ask_and_read(connection)
        assert not connection.is_open


async def test_a_head_without_end_is_no_http() -> None:
    async with raw_server([b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n"]) as server:
        connection = await connect("127.0.0.1", server.port, 5)
        with pytest.raises(NotHttpError):
            await connection.ask(GET)


@pytest.mark.parametrize("in_one", [True, False])
async def test_a_body_larger_than_the_buffer_comes_whole(in_one: bool) -> None:
    body = bytes(range(256)) * (PAUSE_AT_BYTES // 64)
    async with raw_server([answer(body)]) as server:
        connection = await asked(server)
        if in_one:
            assert await connection.read() == body
        else:
            pieces = []
            while piece := await connection.read_some():
                pieces.append(piece)
            assert b"".join(pieces) == body
        assert connection.can_be_reused
        connection.close()


async def test_an_answer_nobody_reads_fills_no_memory() -> None:
    async with raw_server([answer(b"x" * (PAUSE_AT_BYTES * 64))]) as server:
        connection = await asked(server)
        while not connection._is_paused:
            await asyncio.sleep(0)
        assert sum(map(len, connection._pieces)) < PAUSE_AT_BYTES * 4
        connection.close()
        await server.left.wait()


async def test_closing_wakes_the_reader() -> None:
    async with raw_server([CHUNKED]) as server:
        connection = await asked(server)
        reading = asyncio.create_task(connection.read_some())
        await asyncio.sleep(0)
        connection.close()
        with pytest.raises(ConnectionLostError):
            await reading
        await server.left.wait()


async def test_nobody_there_is_no_connection(free_port: int) -> None:
    with pytest.raises(NotConnectedError):
        await connect("127.0.0.1", free_port, 5)


async def test_a_connection_that_takes_too_long_is_none() -> None:
    with pytest.raises(NotConnectedError):
        await connect("127.0.0.1", 1, 0)


class NoTransport(asyncio.Transport):
    """Takes everything and sends nothing."""

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def fed(pieces: list[bytes]) -> HttpConnection:
    connection = HttpConnection()
    connection.connection_made(NoTransport())
    for piece in pieces:
        connection.data_received(piece)
    return connection


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_pieces_may_end_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    said = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies) + b"0\r\n\r\n"
    places = sorted({0, len(said), *(cut % len(said) for cut in cuts)})
    connection = fed([said[start:end] for start, end in pairwise(places)])
    assert connection._take() == b"".join(bodies)
    assert connection.can_be_reused


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_an_error(said: bytes) -> None:
    connection = fed([said])
    connection.connection_lost(None)
    assert connection._problem is None or isinstance(connection._problem, HttpLinkError)
    assert not connection.can_be_reused
