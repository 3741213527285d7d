"""Passes requests on to a gateway and measures how long at least one was open, as a process: `busy_proxy URL`.

Prints its address; `GET /busy` tells what it has seen since it was asked last.
"""

import asyncio
import json
import sys
import time
import urllib.request
from contextlib import AbstractContextManager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

from tests.benchmarks.aside import aside

BUSY = "/busy"
_OF_ONE_HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}


class BusyProxy:
    """Counts POSTs only: those are the models' calls."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._n_open = 0
        self._opened_s = 0.0
        self._busy_s = 0.0
        self._n_calls = 0

    async def run(self) -> None:
        """Serve until the process ends."""
        app = web.Application(client_max_size=2**26)
        app.router.add_get(BUSY, self._tell)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        async with ClientSession(timeout=ClientTimeout(None)) as self._session:
            await site.start()
            print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
            await asyncio.Event().wait()

    async def _tell(self, _request: web.Request) -> web.Response:
        told = {"busy_s": self._busy_s, "n_calls": self._n_calls}
        self._busy_s, self._n_calls = 0.0, 0
        return web.json_response(told)

    async def _pass_on(self, request: web.Request) -> web.Response:
        is_call = request.method == "POST"
        if is_call:
            self._open()
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
            url, body = self._upstream + request.path_qs, await request.read()
            async with self._session.request(request.method, url, data=body, headers=headers) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        finally:
            if is_call:
                self._close()

    def _open(self) -> None:
        if self._n_open == 0:
            self._opened_s = time.perf_counter()
        self._n_open += 1
        self._n_calls += 1

    def _close(self) -> None:
        self._n_open -= 1
        if self._n_open == 0:
            self._busy_s += time.perf_counter() - self._opened_s


def busy_proxy(upstream: str) -> AbstractContextManager[str]:
    """A proxy in a process of its own; yields its address."""
    return aside("tests.benchmarks.busy_proxy", upstream)


def seen_by(proxy: str) -> dict[str, Any]:
    """What it has seen since it was asked last."""
    found: dict[str, Any] = json.loads(urllib.request.urlopen(proxy + BUSY).read())
    return found


if __name__ == "__main__":
    asyncio.run(BusyProxy(sys.argv[1]).run())
