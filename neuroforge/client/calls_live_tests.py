"""As `calls`, for live tests."""

from neuroforge.client.calls import Call, as_contract, as_contracts, quoted
from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus

PATH = "/admin/v1/live-tests"
_READ = as_contract(LiveTestStatus)


def create_live_test(spec: LiveTestSpec) -> Call[LiveTestStatus]:
    """POST /admin/v1/live-tests."""
    return Call("POST", PATH, _READ, spec.model_dump(mode="json", exclude_unset=True))


def live_tests() -> Call[tuple[LiveTestStatus, ...]]:
    """GET /admin/v1/live-tests."""
    return Call("GET", PATH, as_contracts(LiveTestStatus))


def live_test(name: str) -> Call[LiveTestStatus]:
    """GET /admin/v1/live-tests/{name}."""
    return Call("GET", f"{PATH}/{quoted(name)}", _READ)


def stop_live_test(name: str) -> Call[LiveTestStatus]:
    """POST /admin/v1/live-tests/{name}/stop."""
    return Call("POST", f"{PATH}/{quoted(name)}/stop", _READ)
