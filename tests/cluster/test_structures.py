"""A search over structures on the server, by Ray Tune, with a real model: it ends with what each part is worth."""

import pytest

from neuroforge.contracts.runs import new_start_key
from tests.cluster.hidden_labels import task
from tests.server import RunningServer


@pytest.mark.timeout(900)
def test_a_search_over_structures_on_the_server_ends_with_the_worth_of_parts(gateway: RunningServer) -> None:
    wanted = task(name="structured", strategy="nas", budget={"max_calls": 80})
    with gateway.admin() as client:
        key = new_start_key()
        started = client.prompts.runs.start(wanted, key)
        assert client.prompts.runs.start(wanted, key).id == started.id, "a lost answer starts no other run"
        status = client.prompts.runs.wait(started.id)
        assert status.state == "done", status.error
        result = client.prompts.runs.result(started.id)
        served = client.prompts.list("structured")
    assert result.template is not None
    assert result.template.n_structures > 1
    assert "n_demonstrations" in {one.slot for one in result.template.slots}
    assert sum(one.share.mean for one in result.template.slots) <= 1.0 + 1e-9
    assert [one.state for one in served] == ["live"] * result.is_promoted
