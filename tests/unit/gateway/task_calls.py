"""How tests post a task."""

from typing import Any

from neuroforge.contracts.keys import KeySpec
from tests.unit.gateway.fakes import Gateway, Reply, make_key

PATH = "/v1/tasks"
HELLO = [{"role": "user", "content": "hello"}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


async def sent(gateway: Gateway | None = None, key: KeySpec | None = None, **body: Any) -> tuple[Gateway, Reply]:
    """Post one task, with a key of this kind where one is given."""
    gateway = gateway or Gateway()
    secret = None
    if key is not None:
        made, secret = make_key("k1", key)
        gateway.state.keys.append(made)
    async with gateway.running() as client:
        client.secret = secret
        return gateway, await client.post(PATH, body)
