"""ModelEndpoint + bytes -> HTTP answer; headers, connections and errors are handled here."""

import base64
import time
from dataclasses import dataclass, field

from yarl import URL

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.contracts.ports_engines import INTERNAL_TOKEN_HEADER
from neuroforge.engines.failures import Answer, error_from_answer, lost_connection
from neuroforge.engines.http1 import HttpLinkError, NotConnectedError, NotHttpError, NotTrustedError
from neuroforge.engines.http_pool import ConnectionPool, HttpAnswer, Origin
from neuroforge.errors import EngineError, EngineUnavailable

MAX_TARGETS = 512
HANGS_UP_ITSELF = {"x-request-disconnect-disabled": "?1"}
"""Serve need not watch for a caller who leaves: `neuroforge.engines.app` does so itself. Spares a request two tasks."""


@dataclass(frozen=True)
class Target:
    """Everything about an endpoint that a request needs and that does not change between requests."""

    model_id: str
    origin: Origin
    base_path: str
    bearer: str | None = field(repr=False)
    headers: bytes = field(repr=False)
    """Host and what follows it, as lines."""
    connect_timeout_s: float

    def path(self, path: str, is_under_root: bool = False) -> str:
        """Return a path under the base URL, or under the application: the base URL without `/v1`."""
        return (self.base_path.removesuffix("/v1") if is_under_root else self.base_path) + path


class HttpTransport:
    """Sends bytes to endpoints. Connections belong to the loop that runs at the first request."""

    def __init__(self, internal_token: str | None) -> None:
        self._internal_token = internal_token
        self._pool = ConnectionPool()
        self._targets: dict[tuple[str, EngineKind, str, str | None, float], Target] = {}

    def target(self, endpoint: ModelEndpoint) -> Target:
        """Return what is prepared for the endpoint.

        Raises:
            EngineError: A header of it, such as the key, cannot be sent.
        """
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
            target = self._targets[key] = _build_target(endpoint, self._internal_token)
        return target

    async def open(
        self, target: Target, path: str, payload: bytes | None, extra_headers: dict[str, str], body: JsonObject | None
    ) -> HttpAnswer:
        """Send, and return a successful answer whose body is still to be read.

        Args:
            path: As `Target.path` gave it.
            payload: Encoded JSON to POST; None = GET.
            body: What `payload` encodes, for the check that no error message quotes it.
        Raises:
            EngineUnavailable: Refused, not to be trusted, lost, or the proxy has nobody behind it.
            NeuroForgeError: Whatever else `error_from_answer` says.
        """
        started_s = time.monotonic()
        extra = _lines(target.model_id, extra_headers)
        if payload is None:
            head = b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), target.headers, extra)
        else:
            head = b"POST %b HTTP/1.1\r\n%b%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                path.encode(),
                target.headers,
                extra,
                len(payload),
            )
        try:
            answer = await self._pool.ask(target.origin, target.connect_timeout_s, head, payload or b"")
            if answer.status == 200:
                return answer
            raw = await answer.read()
        except HttpLinkError as error:
            raise _link_error(target.model_id, error) from error
        if target.bearer:
            raw = raw.replace(target.bearer.encode(), b"[key]")
        elapsed_s = time.monotonic() - started_s
        raise error_from_answer(Answer(target.model_id, answer.status, answer.headers, raw, elapsed_s), body)

    async def read(self, target: Target, answer: HttpAnswer) -> bytes:
        """Return the whole body; nothing of it has reached the caller, so a loss here can still be retried."""
        try:
            return await answer.read()
        except HttpLinkError as error:
            raise _link_error(target.model_id, error) from error

    async def close(self) -> None:
        """Close all connections; the next request would open new ones."""
        self._pool.close()
        self._pool = ConnectionPool()


def _link_error(model_id: str, error: HttpLinkError) -> EngineError:
    if isinstance(error, NotHttpError):
        return EngineError(f"{model_id}: not an HTTP answer ({error})")
    if isinstance(error, NotTrustedError):
        what = f"{model_id}: its certificate is not accepted ({error})"
        remedy = "use the host name it was made for, or start with SSL_CERT_FILE = a PEM file of the authority"
        return EngineUnavailable(f"{what}; {remedy}", model_id=model_id, may_have_begun=False)
    return lost_connection(model_id, error.__cause__ or error, may_have_begun=not isinstance(error, NotConnectedError))


def _build_target(endpoint: ModelEndpoint, internal_token: str | None) -> Target:
    url = URL(endpoint.base_url)
    headers = {"Host": url.host_port_subcomponent or ""}
    is_ours = endpoint.engine != EngineKind.OPENAI_HTTP
    bearer = internal_token if is_ours else endpoint.api_key
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    elif url.user is not None:
        headers["Authorization"] = _basic_auth(url.user, url.password or "")
    if is_ours and internal_token is not None:
        headers[INTERNAL_TOKEN_HEADER] = internal_token
    if endpoint.engine == EngineKind.LLAMACPP:
        headers |= HANGS_UP_ITSELF
    return Target(
        model_id=endpoint.model_id,
        origin=Origin(url.raw_host or "", url.port or 0, url.scheme == "https"),
        base_path=url.raw_path.rstrip("/"),
        bearer=bearer,
        headers=_lines(endpoint.model_id, headers),
        connect_timeout_s=endpoint.connect_timeout_s,
    )


def _basic_auth(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _lines(model_id: str, headers: dict[str, str]) -> bytes:
    """Raise EngineError for a value that would end its line, or that the wire has no bytes for."""
    lines = []
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise EngineError(f"{model_id}: the header {name} has a character that HTTP cannot carry")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("ascii")
