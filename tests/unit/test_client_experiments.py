import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuroforge.client import AsyncClient, Client, runs
from neuroforge.contracts.experiments import ExperimentConfig, ExperimentStatus
from neuroforge.errors import ConflictError, EngineTimeout
from tests.unit.gateway.fakes_experiments import ANALYSIS, CONFIG, COST, INSIGHT, status
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/admin/v1/experiments"
TEXT = '{"id": "1", "query": "größer?"}\n' * 40
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


class Study:
    """What `neuroforge.experiments.Experiment` offers."""

    config: ExperimentConfig = CONFIG

    def __init__(self, text: str = TEXT) -> None:
        self.uploads = {DIGEST: text.encode()}


def body(answer: object) -> Answer:
    return Answer(body=answer.model_dump_json().encode())  # type: ignore[attr-defined]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("neuroforge.client.runs.POLL_S", 0.0)
    with loopback() as state:
        state.answer("POST", PATH, body(status("exp-1", "queued")))
        state.answer("GET", f"{PATH}/exp-1", body(status(state="running")), body(status()))
        state.answer("GET", f"{PATH}/exp-1/analysis", body(ANALYSIS))
        yield state


def test_a_run_starts_waits_and_returns_what_was_found(gateway: Loopback) -> None:
    seen: list[ExperimentStatus] = []
    with Client(gateway.url) as client:
        outcome = client.experiments.run(CONFIG, on_progress=seen.append)
        assert client.experiments.generate_insights(outcome) == (INSIGHT,)
    assert [one.state for one in seen] == ["running", "done"]
    assert (outcome.id, outcome.summary) == ("exp-1", "small is better than big by 10 points.")
    assert gateway.received[0].json == CONFIG.model_dump(mode="json", exclude_unset=True)


async def test_the_async_client_runs_too(gateway: Loopback) -> None:
    async with AsyncClient(gateway.url) as client:
        outcome = await client.experiments.run(CONFIG)
        assert await client.experiments.generate_insights(outcome.id) == (INSIGHT,)


def test_items_are_uploaded_once_and_before_the_start(gateway: Loopback) -> None:
    gateway.answer_json("PUT", f"{PATH}/items", {"sha256": DIGEST, "n_items": 40})
    with Client(gateway.url) as client:
        client.experiments.start(Study())
        gateway.answer_json("GET", f"{PATH}/items/{DIGEST}", {"sha256": DIGEST, "n_items": 40})
        client.experiments.start(Study())
    assert [one.method for one in gateway.received] == ["GET", "PUT", "POST", "GET", "POST"]
    assert gateway.received[1].json == {"sha256": DIGEST, "index": 0, "n_parts": 1, "lines": TEXT}


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_gateway_that_takes_less_at_once_gets_smaller_parts(
    gateway: Loopback, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    monkeypatch.setattr("neuroforge.client.calls_experiments.SMALLEST_PART_CHARS", 100)
    text = TEXT * 30
    study = Study(text * 40)
    refusal = Answer(413, b'{"error": {"message": "too large", "code": "request_too_large"}}')
    taken = Answer(body=b'{"sha256": "%s"}' % DIGEST.encode())
    gateway.answer("PUT", f"{PATH}/items", refusal, taken)
    if is_async:
        async with AsyncClient(gateway.url) as client:
            await client.experiments.start(study)
    else:
        with Client(gateway.url) as blocking:
            blocking.experiments.start(study)
    sent = [one.json for one in gateway.received if one.method == "PUT"]
    assert (sent[0]["index"], sent[1]["index"], sent[0]["n_parts"] < sent[1]["n_parts"]) == (0, 0, True)
    assert "".join(one["lines"] for one in sent[1:]) == text * 40


def test_an_experiment_that_failed_says_why_and_how_to_go_on(gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="failed", error="no space left")))
    with (
        Client(gateway.url) as client,
        pytest.raises(ConflictError, match=r"failed: no space left; go on with: .* resume exp-1"),
    ):
        client.experiments.run(CONFIG)


def test_a_gateway_that_is_away_for_a_moment_does_not_end_the_wait(gateway: Loopback) -> None:
    away = Answer(503, b"")
    gateway.answer("GET", f"{PATH}/exp-1", away, body(status(state="running")), away, body(status()))
    with Client(gateway.url) as client:
        assert client.experiments.wait("exp-1").state == "done"


def test_a_wait_ends_in_time_and_leaves_the_experiment_alone(gateway: Loopback) -> None:
    gateway.answer("GET", f"{PATH}/exp-1", body(status(state="running")))
    with Client(gateway.url) as client, pytest.raises(EngineTimeout, match="goes on without you"):
        client.experiments.wait("exp-1", timeout_s=0.0)
    assert {one.method for one in gateway.received} == {"GET"}


def test_results_are_read_and_written(gateway: Loopback, tmp_path: Path) -> None:
    cells = io.BytesIO()
    pq.write_table(pa.table({"cell_id": ["a", "b"]}), cells)
    gateway.answer("GET", f"{PATH}/exp-1/report", Answer(body=b"# Study"))
    gateway.answer("GET", f"{PATH}/exp-1/cells", Answer(body=cells.getvalue()))
    with Client(gateway.url) as client:
        assert client.experiments.report("exp-1", tmp_path / "r.md") == "# Study"
        assert client.experiments.cells("exp-1", tmp_path / "c.parquet").num_rows == 2
    assert (tmp_path / "r.md").read_text() == "# Study"
    assert (tmp_path / "c.parquet").read_bytes() == cells.getvalue()
    assert gateway.received[0].path == f"{PATH}/exp-1/report?format=md"


def test_changes_go_to_their_routes(gateway: Loopback) -> None:
    actions = ("cancel", "resume", "rescore", "rerun")
    for action in actions:
        gateway.answer("POST", f"{PATH}/exp-1/{action}", body(status()))
    gateway.answer("POST", f"{PATH}/estimate", body(COST))
    with Client(gateway.url) as client:
        for action in actions:
            getattr(client.experiments, action)("exp-1")
        assert client.experiments.estimate(CONFIG) == COST
    assert [one.path for one in gateway.received] == [*(f"{PATH}/exp-1/{one}" for one in actions), f"{PATH}/estimate"]


def test_a_refusal_keeps_the_servers_words(gateway: Loopback) -> None:
    gateway.answer_json("POST", f"{PATH}/exp-1/resume", envelope("conflict", "every cell has an answer"), 409)
    with Client(gateway.url) as client, pytest.raises(ConflictError, match="every cell has an answer"):
        client.experiments.resume("exp-1")


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = runs.Watch("experiment exp-1", None, None)
    watch.missed(EngineTimeout("silent"))
    monkeypatch.setattr(runs, "PATIENCE_S", -1.0)
    with pytest.raises(EngineTimeout, match="silent"):
        watch.missed(EngineTimeout("silent"))
