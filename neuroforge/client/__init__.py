"""caller -> calls (what to send, how to read it) -> transport ~HTTP~> gateway; errors come back as our own classes.

Nothing here imports Ray: a notebook, a script or a service on another machine needs this package and a URL. `Client`
blocks, `neuroforge.client.aio.AsyncClient` awaits; the second is not imported here because aiohttp takes longer to
import than a command takes to answer.
"""

from typing import TYPE_CHECKING, Any

from neuroforge.client.sync import Client

if TYPE_CHECKING:
    from neuroforge.client.aio import AsyncClient

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    if name == "AsyncClient":
        from neuroforge.client.aio import AsyncClient

        return AsyncClient
    raise AttributeError(name)
