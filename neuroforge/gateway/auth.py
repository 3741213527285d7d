"""Who calls, and may they: bearer keys by local snapshot; without any key, this machine only."""

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from neuroforge.contracts.keys import ApiKey, AuthSnapshot, Scope
from neuroforge.errors import AuthenticationError, EngineUnavailable, PermissionDenied
from neuroforge.gateway.call import Call
from neuroforge.gateway.parts import GatewayOptions
from neuroforge.gateway.policy import is_policy

LOCAL_ACTOR = "local"
_BEARER = re.compile(r"(?i:bearer) +(nf-([A-Za-z0-9]{1,64})-[A-Za-z0-9_-]{1,200})")
_NO_HASH = hashlib.sha256(b"").hexdigest()
_BOTH: frozenset[Scope] = frozenset({"inference", "admin"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a call and what they may do."""

    actor: str
    """Key id, or `local`."""
    scopes: frozenset[Scope]
    allowed_models: frozenset[str] | None = None
    key: ApiKey | None = None

    def check_model(self, model: str, param: str = "model") -> None:
        """Raise PermissionDenied for a model outside the key's list; a policy chooses within it."""
        if self.allowed_models is None or is_policy(model):
            return
        if model not in self.allowed_models:
            raise PermissionDenied(f"this key may not use model {model!r}", param=param)


_LOCAL = Caller(actor=LOCAL_ACTOR, scopes=_BOTH)


class Authenticator:
    """Answers from the newest AuthSnapshot; before the first one nobody is let in."""

    def __init__(self, options: GatewayOptions) -> None:
        self._must_have_key = options.require_keys or not options.is_loopback
        self._local_peers = options.local_peers
        self._allowed_hosts = options.allowed_hosts
        self._origins = frozenset(options.cors_origins)
        self._keys: tuple[ApiKey, ...] | None = None
        self._caller_by_id: dict[str, Caller] = {}
        self._can_be_keyless = False

    @property
    def is_ready(self) -> bool:
        """Whether a snapshot has arrived."""
        return self._keys is not None

    @property
    def n_live_keys(self) -> int:
        """Keys that are not revoked."""
        return sum(key.revoked_at_s is None for key in self._keys or ())

    def update(self, snapshot: AuthSnapshot) -> None:
        """Take over the keys."""
        if snapshot.keys == self._keys:
            return
        self._keys = snapshot.keys
        self._caller_by_id = {
            key.id: Caller(key.id, key.spec.scopes, key.spec.allowed_models, key) for key in snapshot.keys
        }
        # Revoked keys count: whoever once made keys does not mean to be open again.
        self._can_be_keyless = not self._must_have_key and not snapshot.keys

    def identify(self, call: Call, scope: Scope | None) -> Caller:
        """Return who calls.

        Args:
            scope: What they must be allowed to do; None = anything.
        Raises:
            AuthenticationError: No key, a malformed, unknown or revoked one.
            PermissionDenied: The key lacks the scope, or a keyless call does not come from this machine.
            EngineUnavailable: No snapshot of the keys yet.
        """
        if self._keys is None:
            raise EngineUnavailable("the gateway is starting: its list of keys has not arrived yet", retry_after_s=1)
        if self._can_be_keyless:
            self._check_local(call, is_admin=scope == "admin")
            return _LOCAL
        caller = self._by_key(call.header(b"authorization"))
        if scope is not None and scope not in caller.scopes:
            raise PermissionDenied(f"this key lacks the scope {scope!r}")
        return caller

    def _by_key(self, header: str) -> Caller:
        if not header:
            raise AuthenticationError("an API key is needed: send `Authorization: Bearer nf-...`")
        match = _BEARER.fullmatch(header)
        if match is None:
            raise AuthenticationError("the Authorization header is not `Bearer nf-<id>-<secret>`")
        caller = self._caller_by_id.get(match[2])
        expected = caller.key.secret_sha256 if caller is not None and caller.key is not None else _NO_HASH
        given = hashlib.sha256(match[1].encode()).hexdigest()
        is_right = hmac.compare_digest(given, expected)
        if caller is None or caller.key is None or not is_right:
            raise AuthenticationError("this API key is not known")
        if caller.key.revoked_at_s is not None:
            raise AuthenticationError("this API key was revoked")
        return caller

    def _check_local(self, call: Call, is_admin: bool) -> None:
        forwarded = [one.strip() for one in call.header(b"x-forwarded-for").split(",") if one.strip()]
        if not all(self._is_local(peer) for peer in (call.peer, *forwarded)):
            raise PermissionDenied("without API keys only this machine is served; make one: neuroforge keys create")
        host = call.header(b"host")
        if host and not self._is_own_host(host):
            # A web page whose name was re-bound to a loopback address still sends its own name here.
            raise PermissionDenied("this Host is not served without API keys; use 127.0.0.1 or localhost")
        origin = call.header(b"origin")
        if is_admin and origin and origin not in self._origins and not self._is_own_origin(origin, host):
            raise PermissionDenied("web pages of other origins may not use the admin API")

    def _is_local(self, peer: str | None) -> bool:
        if peer is None or peer in self._local_peers:
            return peer is not None
        return _is_loopback_address(peer)

    def _is_own_host(self, host: str) -> bool:
        name = _host_name(f"//{host}")
        return name is not None and (
            name == "localhost"
            or _is_loopback_address(name)
            or name in self._allowed_hosts
            or name in self._local_peers
        )

    def _is_own_origin(self, origin: str, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}")


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback_address(text: str) -> bool:
    if text == "127.0.0.1":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
