import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.datasets.items_file import dump_items
from neuroforge.errors import ConflictError, DataError, EngineTimeout
from neuroforge.experiments import load_prompt_dataset
from tests.unit.gateway.fakes_prompt_runs import CONFIG, PLAN, RESULT, status
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/admin/v1/prompt-runs"
ITEMS_PATH = "/admin/v1/experiments/items"
PROMPT = "Answer.\n\n{{ query }}"
ROWS = [{"question": f"{one}+0?", "reference": str(one), "scorer": "exact"} for one in range(3)]


def body(answer: object) -> Answer:
    return Answer(body=answer.model_dump_json().encode())


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("neuroforge.client.runs.POLL_S", 0.0)
    with loopback() as state:
        state.answer("POST", PATH, body(status("opt-1", "queued")))
        state.answer("GET", f"{PATH}/opt-1", body(status(state="running")), body(status()))
        state.answer("GET", f"{PATH}/opt-1/result", body(RESULT))
        state.answer_json("PUT", ITEMS_PATH, {"sha256": "0" * 64, "n_items": 3})
        yield state


def sent_configs(gateway: Loopback) -> list[dict[str, object]]:
    return [one.json for one in gateway.received if (one.method, one.path) == ("POST", PATH)]


def test_one_call_starts_waits_and_returns_what_was_found(gateway: Loopback) -> None:
    seen: list[PromptRunStatus] = []
    with Client(gateway.url) as client:
        found = client.prompts.optimize_prompt(
            PROMPT, "small", examples="mmlu:50", metric="exact", budget={"max_calls": 60}, on_progress=seen.append
        )
    assert (found, [one.state for one in seen]) == (RESULT, ["running", "done"])
    assert sent_configs(gateway) == [
        {
            "name": "prompt",
            "promote": False,
            "prompt": PROMPT,
            "target_model": "small",
            "dataset": {"name": "mmlu", "n": 50},
            "metric": "exact",
            "budget": {"max_calls": 60},
        }
    ]


async def test_the_async_client_optimises_too(gateway: Loopback) -> None:
    async with AsyncClient(gateway.url) as client:
        assert await client.prompts.optimize_prompt(PROMPT, "small") == RESULT
    assert sent_configs(gateway) == [{"name": "prompt", "promote": False, "prompt": PROMPT, "target_model": "small"}]


def test_a_program_may_be_the_seed(gateway: Loopback) -> None:
    with Client(gateway.url) as client:
        client.prompts.optimize_prompt(PromptProgram(instruction="Answer."), "small")
    assert sent_configs(gateway)[0]["program"] == {"instruction": "Answer."}


@pytest.mark.parametrize("is_async", [False, True])
async def test_rows_are_uploaded_before_and_named_by_their_digest(gateway: Loopback, is_async: bool) -> None:
    if is_async:
        async with AsyncClient(gateway.url) as client:
            await client.prompts.optimize_prompt(PROMPT, "small", examples=ROWS, name="sums")
    else:
        with Client(gateway.url) as blocking:
            blocking.prompts.optimize_prompt(PROMPT, "small", examples=ROWS, name="sums")
    content = dump_items(load_prompt_dataset(ROWS).items)
    digest = hashlib.sha256(content).hexdigest()
    assert gateway.received[1].json["lines"] == content.decode()
    assert sent_configs(gateway)[0]["dataset"] == {"name": "sums", "uploaded": digest}
    assert "items" not in sent_configs(gateway)[0]


def test_what_load_prompt_dataset_made_are_examples(gateway: Loopback) -> None:
    with Client(gateway.url) as client:
        client.prompts.optimize_prompt(PROMPT, "small", examples=load_prompt_dataset("mmlu", n=20, seed=1))
        client.prompts.optimize_prompt(PROMPT, "small", examples=load_prompt_dataset(ROWS))
    registry, uploaded = (one["dataset"] for one in sent_configs(gateway))
    assert registry["name"] == "mmlu"
    assert "uploaded" in uploaded


def test_a_file_that_lies_here_is_uploaded(gateway: Loopback, tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in ROWS))
    config = OptimizeConfig(name="sums", prompt=PROMPT, dataset={"name": str(path), "n": 2})
    with Client(gateway.url) as client:
        client.prompts.runs.start(config)
    source = sent_configs(gateway)[0]["dataset"]
    assert (source["name"], sorted(source)) == ("sums.jsonl", ["name", "uploaded"])
    assert len(gateway.received[1].json["lines"].splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": "exact"}, "did you mean 'metric'"),
        ({"metric": "exakt"}, "exact"),
        ({"budget": {"max_cals": 3}}, "max_calls"),
        ({"examples": "mmlux:5"}, "mmlu"),
        ({"examples": [{"reference": "4"}]}, "row 1"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(
    gateway: Loopback, options: dict[str, object], said: str
) -> None:
    with Client(gateway.url) as client, pytest.raises(DataError, match=said):
        client.prompts.optimize_prompt(PROMPT, "small", **options)
    assert gateway.received == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("failed", r"prompt run opt-1 is failed: why; go on with: neuroforge prompts resume opt-1$"),
        ("cancelled", r"is cancelled: why; go on with"),
        ("interrupted", r"is interrupted: why$"),
    ],
)
def test_a_run_that_did_not_end_well_says_why_and_how_to_go_on(gateway: Loopback, state: str, said: str) -> None:
    gateway.answer("GET", f"{PATH}/opt-1", body(status(state=state, error="why")))
    with Client(gateway.url) as client, pytest.raises(ConflictError, match=said):
        client.prompts.optimize_prompt(PROMPT, "small")


def test_a_wait_ends_in_time_and_leaves_the_run_alone(gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/opt-1", body(status(state="running")))
    with Client(gateway.url) as client, pytest.raises(EngineTimeout, match="prompt run opt-1 is still running"):
        client.prompts.runs.wait("opt-1", timeout_s=0.0)
    assert {one.method for one in gateway.received} == {"GET"}


def test_report_and_candidates_are_read_and_written(gateway: Loopback, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a", "b"]}), tmp_path / "made.parquet")
    gateway.answer("GET", f"{PATH}/opt-1/report", Answer(body=b"<html>"))
    for name in ("candidates", "evaluations"):
        gateway.answer("GET", f"{PATH}/opt-1/{name}", Answer(body=(tmp_path / "made.parquet").read_bytes()))
    with Client(gateway.url) as client:
        assert client.prompts.runs.report("opt-1", tmp_path / "r.html") == "<html>"
        assert client.prompts.runs.candidates("opt-1").num_rows == 2
        assert client.prompts.runs.evaluations("opt-1").num_rows == 2
    assert (tmp_path / "r.html").read_text() == "<html>"


def test_changes_go_to_their_routes(gateway: Loopback) -> None:
    for action in ("cancel", "resume"):
        gateway.answer("POST", f"{PATH}/opt-1/{action}", body(status()))
    gateway.answer("POST", f"{PATH}/plan", body(PLAN))
    gateway.answer("POST", PATH, body(status()))
    with Client(gateway.url) as client:
        client.prompts.runs.start(CONFIG, "0a1b2c3d")
        client.prompts.runs.cancel("opt-1")
        client.prompts.runs.resume("opt-1")
        assert client.prompts.runs.plan(CONFIG) == PLAN
    asked = [f"{PATH}?start_key=0a1b2c3d", f"{PATH}/opt-1/cancel", f"{PATH}/opt-1/resume", f"{PATH}/plan"]
    assert [one.path for one in gateway.received] == asked


def test_a_refusal_keeps_the_servers_words(gateway: Loopback) -> None:
    gateway.answer_json("POST", PATH, envelope("invalid_data", "give about 12 more"), 400)
    with Client(gateway.url) as client, pytest.raises(DataError, match="12 more"):
        client.prompts.optimize_prompt(PROMPT, "small")
