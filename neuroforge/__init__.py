"""serve -> record outcomes -> experiment -> better routing and prompts -> serve."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuroforge.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "connect_async"]


def connect(url: str | None = None, api_key: str | None = None, timeout_s: float = 600.0) -> "Client":
    """Return a client of a running server; nothing is sent yet.

    Args:
        url: With or without `/v1`; None = $NEUROFORGE_URL, else the server that runs here, else what the settings say.
        api_key: None = $NEUROFORGE_API_KEY, else none.
        timeout_s: How long the server may say nothing.
    Raises:
        ConfigError: The address is not one.
    """
    from neuroforge.client import Client  # here, so that `import neuroforge` costs nothing
    from neuroforge.client.locate import find_key, find_url

    return Client(find_url(url), find_key(api_key), timeout_s)


def connect_async(url: str | None = None, api_key: str | None = None, timeout_s: float = 600.0) -> "AsyncClient":
    """As `connect`, for programs that have an event loop."""
    from neuroforge.client.aio import AsyncClient
    from neuroforge.client.locate import find_key, find_url

    return AsyncClient(find_url(url), find_key(api_key), timeout_s)
