from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.experiments import ExperimentConfig
from tests.unit.cluster.cli_runner import Cli
from tests.unit.gateway.fakes_experiments import ANALYSIS, COST, status
from tests.unit.loopback import Answer, Loopback, loopback

PATH = "/admin/v1/experiments"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("neuroforge.client.runs.POLL_S", 0.0)
    with loopback() as state:
        for method, path, answer in (
            ("POST", f"{PATH}/estimate", COST),
            ("POST", PATH, status("exp-1", "queued")),
            ("GET", f"{PATH}/exp-1", status()),
            ("GET", f"{PATH}/exp-1/analysis", ANALYSIS),
        ):
            state.answer(method, path, Answer(body=answer.model_dump_json().encode()))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


def test_a_suite_is_an_experiment_on_its_datasets(cli: Cli, gateway: Loopback) -> None:
    found = cli.json("benchmark", "run", "math", "--models", "a, b", "-m", "c", "--limit", "5")
    sent = ExperimentConfig.model_validate(gateway.received[1].json)
    assert (found["status"]["id"], sent.models, {one.n for one in sent.datasets}) == ("exp-1", ("a", "b", "c"), {5})
    assert sent.name == "benchmark math"


def test_an_unknown_suite_is_refused_with_the_nearest_and_nothing_is_sent(cli: Cli, gateway: Loopback) -> None:
    result = cli("benchmark", "run", "maths", "--model", "a")
    assert (result.exit_code, "known are math" in result.stderr, gateway.received) == (1, True, [])


def test_suites_are_listed_with_their_protocol(cli: Cli) -> None:
    rows = cli.json("benchmark", "list")
    assert {"knowledge", "math"} <= {one["suite"] for one in rows}
    assert all(one["protocol"] for one in rows)
