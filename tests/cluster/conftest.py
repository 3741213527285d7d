"""Each file of cluster tests leaves the shared server's fleet as it found it."""

from collections.abc import Iterator

import pytest

from neuroforge.contracts.models import ModelSpec
from tests.cluster import long_stream as streaming
from tests.cluster.fleet import unload
from tests.conftest import SMALL_FLEET
from tests.server import RunningServer

STARTED_WITH = tuple(ModelSpec.model_validate(one) for one in SMALL_FLEET["models"])


@pytest.fixture(scope="module", autouse=True)
def _fleet_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """Models of one file must not take CPU, or requests for `auto`, from the tests of the next."""
    tests = [one for one in request.session.items if one.path == request.path]
    if not any("gateway" in one.fixturenames for one in tests):
        yield
        return
    server = request.getfixturevalue("gateway")
    with server.admin() as client:
        found = {one.id for one in client.models()}
    yield
    keep_only(server, tuple(one for one in (*STARTED_WITH, streaming.SPEC) if one.id in found))


@pytest.fixture(scope="session")
def long_stream(gateway: RunningServer) -> Iterator[streaming.LongStream]:
    """A stream that has begun with the first test that asks for it, and goes on through all that follow it."""
    stream = streaming.LongStream(gateway)
    stream.begin()
    yield stream
    stream.end()


def keep_only(server: RunningServer, specs: tuple[ModelSpec, ...]) -> None:
    """Take all other models out of the fleet, and wait until they are gone from memory."""
    with server.admin() as client:
        for one in client.models():
            if one.id not in {spec.id for spec in specs}:
                unload(client, one.id)
        client.apply(specs)
