"""Requests to llama.cpp's server in this process: loopback, a key that nobody else has, one connection a request."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.engines.failures import error_from_envelope, lost_connection
from neuroforge.engines.http1 import HttpConnection, HttpLinkError
from neuroforge.engines.llamacpp_chunks import DONE
from neuroforge.engines.llamacpp_link import LlamaCppLink
from neuroforge.engines.sse import SseParser
from neuroforge.errors import ContextLengthExceeded, EngineError, NeuroForgeError, StreamInterrupted

PROPERTIES_TIMEOUT_S = 30.0
_BATCH_TOO_SMALL: Final = b"too large to process"


class LlamaCppHttp:
    """Posts bodies; raises our errors. Closing a connection is how a request is cancelled."""

    def __init__(self, model_id: str, address: str, server_key: str) -> None:
        self._model_id = model_id
        self._address = address
        self._headers = {"Authorization": f"Bearer {server_key}", "Content-Type": "application/json"}
        self._link = LlamaCppLink(address, self._headers)
        self._open: set[HttpConnection] = set()

    def get_properties(self) -> Any:
        """Return /props; blocks, for use while loading."""
        request = urllib.request.Request(f"{self._address}/props", headers=self._headers)  # noqa: S310 our own server
        with urllib.request.urlopen(request, timeout=PROPERTIES_TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)

    async def get(self, path: str) -> Any:
        """Return the decoded answer."""
        return orjson.loads(await self._read("GET", path, None))

    async def post(self, path: str, body: JsonObject) -> Any:
        """Return the decoded answer."""
        return orjson.loads(await self._read("POST", path, body))

    async def count_busy_slots(self) -> int:
        """Return how many slots work on something now."""
        return sum(bool(slot["is_processing"]) for slot in await self.get("/slots"))

    async def stream(self, path: str, body: JsonObject) -> AsyncGenerator[bytes, None]:
        """Yield the data of each event; the stream's own [DONE] too.

        Raises:
            NeuroForgeError: What llama.cpp answered instead, or says in the middle (StreamInterrupted).
        """
        n_events = 0
        try:
            connection = await self._link.ask("POST", path, orjson.dumps(body))
        except HttpLinkError as error:
            raise lost_connection(self._model_id, error, may_have_begun=True) from error
        self._open.add(connection)
        parser = SseParser()
        try:
            if connection.status != 200:
                raise self._refusal(connection.status, await connection.read(), body)
            while piece := await connection.read_some():
                for data in parser.feed(piece):
                    if data.startswith(b'{"error"'):
                        raise self._broken(orjson.loads(data)["error"], n_events, body)
                    n_events += 1
                    yield data
                    if data == DONE:
                        return
        except HttpLinkError as error:
            if n_events == 0:
                raise lost_connection(self._model_id, error, may_have_begun=True) from error
            what = f"{self._model_id}: the engine broke off after {n_events} events"
            raise StreamInterrupted(what, model_id=self._model_id) from error
        finally:
            self._open.discard(connection)
            connection.close()
            self._link.prepare()

    def cut_all(self) -> None:
        """Close the connections of all streams, which makes llama.cpp stop them."""
        for connection in tuple(self._open):
            connection.close()

    async def close(self) -> None:
        """Close what is left."""
        self._link.close()
        await asyncio.sleep(0)  # the loop closes sockets in its next round, and llama.cpp's threads wait for that

    async def _read(self, method: str, path: str, body: JsonObject | None) -> bytes:
        try:
            connection = await self._link.ask(method, path, b"" if body is None else orjson.dumps(body))
            try:
                raw = await connection.read()
            finally:
                connection.close()
                self._link.prepare()
        except HttpLinkError as error:
            raise lost_connection(self._model_id, error, may_have_begun=True) from error
        if connection.status != 200:
            raise self._refusal(connection.status, raw, body)
        return raw

    def _refusal(self, status: int, raw: bytes, body: JsonObject | None) -> NeuroForgeError:
        if status == 500 and _BATCH_TOO_SMALL in raw:
            return ContextLengthExceeded(f"{self._model_id}: an input is longer than the model's context")
        try:
            envelope = orjson.loads(raw)["error"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return EngineError(f"{self._model_id}: llama.cpp answered with status {status}", model_id=self._model_id)
        return error_from_envelope(self._model_id, status, envelope, body)

    def _broken(self, envelope: JsonObject, n_events: int, body: JsonObject) -> NeuroForgeError:
        code = envelope.get("code")
        meant = error_from_envelope(self._model_id, code if isinstance(code, int) else 500, envelope, body)
        if n_events == 0 or not isinstance(meant, EngineError):
            return meant
        return StreamInterrupted(meant.message, model_id=self._model_id)
