"""A TCP server that says given bytes, for what no HTTP library would say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Script = list[bytes | None]
"""For each request on a connection what is answered; None = hang up."""


class RawServer:
    """`requests` holds what came, `n_connections` how often somebody connected."""

    def __init__(self, scripts: list[Script]) -> None:
        """`scripts` for each connection in turn; the last one again for further ones."""
        self._scripts = scripts
        self.requests: list[bytes] = []
        self.n_connections = 0
        self.port = 0
        self.left = asyncio.Event()
        """Set when a client hung up."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.n_connections, len(self._scripts) - 1)]
        self.n_connections += 1
        try:
            for answer in script:
                if answer is None:
                    break
                self.requests.append(await _read_request(reader))
                writer.write(answer)
            else:
                await reader.read()
                self.left.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


@asynccontextmanager
async def raw_server(*scripts: Script) -> AsyncIterator[RawServer]:
    """Serve until the end of the block."""
    state = RawServer(list(scripts))
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await server.wait_closed()


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with a content-length."""
    lines = b"".join(line + b"\r\n" for line in (b"Content-Length: %d" % len(body), *headers))
    return b"HTTP/1.1 " + status + b"\r\n" + lines + b"\r\n" + body
