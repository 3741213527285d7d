"""One real gateway for all contract tests, and the clients that talk to it."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.server import RunningServer

TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def root(gateway: RunningServer) -> str:
    """The gateway's address without `/v1`."""
    return gateway.base_url


@pytest.fixture
def client(gateway: RunningServer, root: str) -> Iterator[OpenAI]:
    """The official SDK, without the retries that would hide an error."""
    with OpenAI(base_url=f"{root}/v1", api_key=gateway.api_key, max_retries=0, timeout=TIMEOUT_S) as sdk:
        yield sdk


@pytest.fixture
async def aclient(gateway: RunningServer, root: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{root}/v1", api_key=gateway.api_key, max_retries=0, timeout=TIMEOUT_S) as sdk:
        yield sdk


@pytest.fixture
def http(gateway: RunningServer, root: str) -> Iterator[httpx2.Client]:
    """Plain HTTP with a key that may ask models."""
    with httpx2.Client(base_url=root, headers=bearer(gateway.api_key), timeout=TIMEOUT_S) as plain:
        yield plain


@pytest.fixture
def admin(gateway: RunningServer, root: str) -> Iterator[httpx2.Client]:
    """Plain HTTP with a key that may do everything."""
    with httpx2.Client(base_url=root, headers=bearer(gateway.admin_key), timeout=TIMEOUT_S) as plain:
        yield plain


def bearer(key: str | None) -> dict[str, str]:
    assert key is not None
    return {"authorization": f"Bearer {key}"}
