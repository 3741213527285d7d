"""ModelEndpoint + bytes -> HTTP answer; headers, connection pool and errors are handled here."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.contracts.ports import INTERNAL_TOKEN_HEADER
from neuroforge.engines.failures import Answer, error_from_answer, lost_connection
from neuroforge.errors import EngineError

SessionFactory = Callable[[], aiohttp.ClientSession]

KEEPALIVE_S = 4.0
"""Shorter than uvicorn's 5 s: a pooled connection must not be closed by the server at the moment we reuse it."""
LARGE_BODY_BYTES = 1024 * 1024
MAX_TARGETS = 512


def open_session() -> aiohttp.ClientSession:
    """Return a session without connection limit, cookies, decompression or default headers."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent", "Accept"),
        timeout=aiohttp.ClientTimeout(total=None),
    )


@dataclass(frozen=True)
class Target:
    """Everything about an endpoint that a request needs and that does not change between requests."""

    model_id: str
    base_url: str
    root_url: str
    """The model's application: the base URL without `/v1`."""
    bearer: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    timeout: aiohttp.ClientTimeout
    urls: dict[tuple[bool, str], URL]
    """Parsed once for each path: parsing costs more than the rest of a request's preparation."""

    def url(self, path: str, is_under_root: bool = False) -> URL:
        """Return the address of a path under the base URL, or under the application."""
        known = self.urls.get((is_under_root, path))
        if known is None:
            known = self.urls[is_under_root, path] = URL(f"{self.root_url if is_under_root else self.base_url}{path}")
        return known


class HttpTransport:
    """Sends bytes to endpoints. The session is made at the first request, in the loop that runs then."""

    def __init__(self, internal_token: str | None, session_factory: SessionFactory = open_session) -> None:
        self._internal_token = internal_token
        self._session_factory = session_factory
        self._session: aiohttp.ClientSession | None = None
        self._targets: dict[tuple[str, EngineKind, str, str | None, float], Target] = {}

    def target(self, endpoint: ModelEndpoint) -> Target:
        """Return what is prepared for the endpoint."""
        key = (
            endpoint.model_id,
            endpoint.engine,
            endpoint.base_url,
            endpoint.api_key,
            endpoint.connect_timeout_s,
        )
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            target = self._targets[key] = self._build_target(endpoint)
        return target

    async def open(
        self, target: Target, url: URL, payload: bytes | None, extra_headers: dict[str, str], body: JsonObject | None
    ) -> aiohttp.ClientResponse:
        """Send, and return a successful answer whose body is still to be read.

        Args:
            payload: Encoded JSON to POST; None = GET.
            body: What `payload` encodes, for the check that no error message quotes it.
        Raises:
            EngineUnavailable: Refused, lost, or the proxy has nobody behind it.
            NeuroForgeError: Whatever else `error_from_answer` says.
        """
        session = self._session or self._new_session()
        started_s = time.monotonic()
        data = io.BytesIO(payload) if payload is not None and len(payload) > LARGE_BODY_BYTES else payload
        try:
            response = await session.request(
                "GET" if payload is None else "POST",
                url,
                data=data,
                headers={**target.headers, **extra_headers},
                timeout=target.timeout,
                allow_redirects=False,
            )
            if response.status == 200:
                return response
            raw = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise lost_connection(target.model_id, error, may_have_begun=False) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise lost_connection(target.model_id, error, may_have_begun=True) from error
        except aiohttp.ClientError as error:
            raise EngineError(f"{target.model_id}: not an HTTP answer ({type(error).__name__})") from error
        if target.bearer:
            raw = raw.replace(target.bearer.encode(), b"[key]")
        elapsed_s = time.monotonic() - started_s
        raise error_from_answer(Answer(target.model_id, response.status, response.headers, raw, elapsed_s), body)

    async def read(self, target: Target, response: aiohttp.ClientResponse) -> bytes:
        """Return the whole body; nothing of it has reached the caller, so a loss here can still be retried."""
        try:
            return await response.read()
        except aiohttp.ClientError as error:
            raise lost_connection(target.model_id, error, may_have_begun=True) from error

    async def close(self) -> None:
        """Close all connections; the next request would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        self._session = self._session_factory()
        return self._session

    def _build_target(self, endpoint: ModelEndpoint) -> Target:
        headers = {"Content-Type": "application/json"}
        is_ours = endpoint.engine != EngineKind.OPENAI_HTTP
        bearer = self._internal_token if is_ours else endpoint.api_key
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if is_ours and self._internal_token is not None:
            headers[INTERNAL_TOKEN_HEADER] = self._internal_token
        return Target(
            model_id=endpoint.model_id,
            base_url=endpoint.base_url,
            root_url=endpoint.base_url.removesuffix("/v1"),
            bearer=bearer,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=endpoint.connect_timeout_s),
            urls={},
        )
