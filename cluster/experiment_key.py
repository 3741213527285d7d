"""As whom experiments call the gateway: without a key where nobody has one, else with a key of their own."""

import asyncio
from pathlib import Path

from cluster.actors import get_state_actor
from cluster.cells import GatewayAddress
from cluster.handles import StateHandle
from cluster.serve import base_url
from neuroforge.client import AsyncClient
from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import AuthenticationError
from neuroforge.settings import Settings
from neuroforge.storage.files import write_whole

KEY_FILE = "experiments-key"
KEY_NAME = "experiments of this server"
NO_LIMIT = 1_000_000_000
"""An experiment has its own budget; the default limits of keys are meant for people."""
ACCEPT_WITHIN_S = 15.0
"""Gateways learn of a new key within a second."""
POLL_S = 0.5


async def gateway_address(settings: Settings) -> GatewayAddress:
    """Return where the gateway is on this node, and the key that it accepts.

    The key is made once and kept in a file beside the internal token, readable by its owner only. Who revokes it makes
    the next experiment make another.

    Raises:
        AuthenticationError: A new key is not accepted in time. EngineUnavailable: The gateway does not answer.
    """
    url = base_url(settings).removesuffix("/v1")
    state = StateHandle(get_state_actor(settings))
    keys = await state.list_keys()
    if not keys and settings.gateway.is_loopback and not settings.auth.require_keys:
        return GatewayAddress(url)  # making a key would lock everybody else out
    path = settings.storage.home / KEY_FILE
    secret = path.read_text().strip() if path.is_file() else ""
    live = {key.id for key in keys if key.revoked_at_s is None}
    if not any(secret.startswith(f"nf-{key_id}-") for key_id in live):
        secret = await _make(state, path)
        await _wait_accepted(url, secret)
    return GatewayAddress(url, secret)


async def _make(state: StateHandle, path: Path) -> str:
    spec = KeySpec(name=KEY_NAME, requests_per_minute=NO_LIMIT, tokens_per_minute=NO_LIMIT)
    created = await state.create_key(spec)
    write_whole(path, created.secret.encode())
    return created.secret


async def _wait_accepted(url: str, secret: str) -> None:
    async with AsyncClient(url, secret) as client:
        for _ in range(int(ACCEPT_WITHIN_S / POLL_S)):
            try:
                await client.model_ids()
            except AuthenticationError:
                await asyncio.sleep(POLL_S)
            else:
                return
        await client.model_ids()
