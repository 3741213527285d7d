import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.cli_runner import Cli
from tests.unit.loopback import CHAT, MODEL, Loopback, loopback

NOTHING = {"n_outcomes": 0, "n_scored": 0, "n_dropped": 0}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        price = {"input_usd_per_million": 1.0, "output_usd_per_million": 0.0}
        running.answer_json("GET", "/admin/v1/models", {"data": [{**MODEL, "price": price}]})
        yield running


@pytest.fixture
def cli(tmp_path: Path, server: Loopback) -> Cli:
    return Cli(tmp_path / "home", server.url)


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    path = tmp_path / "quiz.jsonl"
    path.write_text('{"query": "Say yes", "reference": "yes", "scorer": "normalized", "task": "chat"}\n')
    return path


def says(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


def test_outcomes_are_written_and_summed_up(cli: Cli, server: Loopback, quiz: Path, tmp_path: Path) -> None:
    server.answer_json("POST", CHAT, says("Yes."))
    out = tmp_path / "o.jsonl"
    told = cli.json("router", "label", "--dataset", str(quiz), "--out", str(out))
    row = json.loads(out.read_text())
    assert (row["query"], row["scores"], row["costs"], row["task"]) == (
        "Say yes",
        {"small": 1.0},
        {"small": 3e-6},
        "chat",
    )
    assert (told["n_rows"], told["n_missing"], told["summaries"][0]["mean_score"]) == (1, 0, 1.0)


def test_missing_answers_are_told_by_the_exit_status(cli: Cli, server: Loopback, quiz: Path, tmp_path: Path) -> None:
    result = cli("router", "label", "--dataset", str(quiz), "--out", str(tmp_path / "o.jsonl"), "--max-seconds", "0")
    assert result.exit_code == 3
    assert "1 of 1 answers are missing" in result.stdout
    assert not (tmp_path / "o.jsonl").exists()


def test_a_second_call_asks_nothing(cli: Cli, server: Loopback, quiz: Path, tmp_path: Path) -> None:
    server.answer_json("POST", CHAT, says("Yes."))
    for _ in range(2):
        assert cli("router", "label", "--dataset", str(quiz), "--out", str(tmp_path / "o.jsonl")).exit_code == 0
    assert [one.path for one in server.received].count(CHAT) == 1


def test_an_unknown_dataset_is_one_line_with_the_known_ones(cli: Cli, tmp_path: Path) -> None:
    result = cli("router", "label", "--dataset", "mmlue", "--out", str(tmp_path / "o.jsonl"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no dataset is called 'mmlue': known are mmlu")


def test_a_placement_needs_a_router_that_records(cli: Cli, server: Loopback, quiz: Path) -> None:
    server.answer_json("GET", "/admin/v1/router", {"version": 1, "rules_version": 1, "record": "none"} | NOTHING)
    result = cli("router", "place", "small", "--dataset", str(quiz))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the router keeps and learns nothing")


def test_a_placement_of_a_model_that_is_not_hosted_asks_nothing(cli: Cli, server: Loopback, quiz: Path) -> None:
    server.answer_json("GET", "/admin/v1/router", {"version": 1, "rules_version": 1, "record": "stats"} | NOTHING)
    result = cli("router", "place", "large", "--dataset", str(quiz))
    assert result.exit_code == 1
    assert "does not host 'large'; it hosts small" in result.stderr
    assert CHAT not in [one.path for one in server.received]
