from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.routing import CandidateView, Decision, Prediction, UtilityTerms
from neuroforge.contracts.tasks import TaskProfile
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.loopback import Loopback, loopback

PREDICTION = Prediction(
    model_id="big",
    quality=0.75,
    quality_low=0.5,
    quality_high=1.0,
    quality_std=0.1,
    n_output_tokens=120.4,
    ttft_s=0.5,
    s_per_token=0.01,
    latency_s=1.7,
    cost_usd=0.002,
)
DECISION = Decision(
    decision_id="d1",
    request_id="r1",
    model_id="big",
    policy="auto:best",
    reason="utility",
    snapshot_version=4,
    candidates=(
        CandidateView(
            model_id="big",
            expected_latency_s=1.7,
            prediction=PREDICTION,
            utility=UtilityTerms(quality=0.75, cost=0.25, latency=0.0, prefix=0.0, total=0.5),
            propensity=0.9,
        ),
        CandidateView(model_id="cold", filtered="not_loaded"),
    ),
    profile=TaskProfile(
        task_type="code",
        probability_by_task={"math": 0.2, "code": 0.7, "chat": 0.1},
        complexity=0.5,
        language="en",
        n_prompt_tokens=7,
        n_output_tokens=120.4,
    ),
    propensity=0.9,
    exploration="on",
    router_version=12,
    rules_version=3,
)


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        state.answer_json("POST", "/v1/route", DECISION.model_dump(mode="json"))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path) -> Cli:
    return Cli(tmp_path, gateway.url)


def test_the_choice_stands_first_with_its_probability(cli: Cli) -> None:
    lines = cli("router", "explain", "Write code").stdout.splitlines()
    assert lines[0] == "big: utility (chosen with probability 0.900)"
    assert lines[1] == "task code 70%, math 20%, chat 10%; complexity 0.50; language en; about 7 tokens in, 120 out"


def test_each_candidate_shows_predictions_terms_and_why_it_is_out(cli: Cli) -> None:
    lines = cli("router", "explain", "Write code").stdout.splitlines()
    assert cells(lines[3]) == [
        *("big", "0.750", "0.50-1.00", "120", "1.70", "0.002000"),
        *("0.500", "-0.250", "0.000", "0.000", "0.900", "-"),
    ]
    assert cells(lines[4])[-1] == "not_loaded"
    assert "router version 12; rules version 3; exploration on" in lines[5]


def test_bounds_and_policy_are_sent(cli: Cli, gateway: Loopback) -> None:
    cli.json(
        "router", "explain", "Hi", "-p", "auto:cheap", "--max-latency", "2", "--candidate", "a", "--candidate", "b"
    )
    assert gateway.received[0].json == {
        "model": "auto:cheap",
        "messages": [{"role": "user", "content": "Hi"}],
        "neuroforge": {"route": {"max_latency_s": 2.0, "candidates": ["a", "b"]}},
    }


def test_json_is_the_decision(cli: Cli) -> None:
    assert cli.json("router", "explain", "Hi") == DECISION.model_dump(mode="json")
