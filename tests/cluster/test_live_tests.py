"""A live test on a real fleet: requests get their arm within a second, what they come to is counted, and it ends."""

from collections.abc import Iterator

import httpx2
import pytest

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestSpec
from tests.cluster.fleet import load, small, unload, until
from tests.server import RunningServer

CONTROL, OTHER = "smollm2-135m-instruct", "live-b"


@pytest.fixture(scope="module")
def two_models(gateway: RunningServer) -> Iterator[RunningServer]:
    with gateway.admin() as client:
        load(client, small(OTHER))
        yield gateway
        unload(client, OTHER)


def ask(server: RunningServer, session: str) -> tuple[str, str]:
    """Model that answered, and why."""
    body = {
        "model": CONTROL,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 2,
        "neuroforge": {"route": {"session": session}},
    }
    headers = {"authorization": f"Bearer {server.api_key}"}
    answer = httpx2.post(f"{server.openai_url}/chat/completions", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-neuroforge-model"], answer.headers["x-neuroforge-decision"].partition("reason=")[2]


def test_sessions_keep_their_arm_and_are_counted_until_the_test_is_stopped(two_models: RunningServer) -> None:
    arms = (LiveTestArm(name="control", model_id=CONTROL), LiveTestArm(name="other", model_id=OTHER))
    spec = LiveTestSpec(name="cluster-test", target=CONTROL, arms=arms, metric="success")
    sessions = [f"s{number}" for number in range(12)]
    with two_models.admin() as client:
        client.create_live_test(spec)
        until(lambda: any(ask(two_models, f"warm-{n}")[1] == "live_test" for n in range(8)), "it runs", 30)
        first = {one: ask(two_models, one) for one in sessions}
        again = {one: ask(two_models, one) for one in sessions}
        assert {one: model for one, (model, _) in first.items()} == {one: model for one, (model, _) in again.items()}
        assert {model for model, _ in first.values()} == {CONTROL, OTHER}

        def is_counted() -> bool:
            seen = client.live_test("cluster-test").arms
            return sum(one.n_requests for one in seen) >= 24 and sum(one.n_units for one in seen) >= 12

        until(is_counted, "all are counted", 10)
        found = client.live_test("cluster-test")
        assert all(one.n_failures == 0 and one.estimate is not None and one.estimate.mean == 1.0 for one in found.arms)
        assert sum(one.n_units for one in found.arms) < sum(one.n_requests for one in found.arms)

        assert client.stop_live_test("cluster-test").state == "stopped"
        until(lambda: {ask(two_models, one) for one in sessions} == {(CONTROL, "explicit")}, "all is as before", 30)
