"""`neuroforge optimize` on a real fleet: proven, registered once MLflow is back, served by name, tracked."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from neuroforge.contracts.prompts import PromptMessage, PromptRelease
from neuroforge.prompts.delivered import is_undelivered
from tests.cluster.hidden_labels import LABELS, MODEL, SEED, items, task
from tests.cluster.test_prompts import answered_by, broken
from tests.server import RunningServer

ASKED = tuple(one.query for one in items()[:3])


@pytest.mark.timeout(900)
def test_a_proven_prompt_takes_the_seeds_place_in_service(gateway: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(task().model_dump_json(exclude_unset=True))  # JSON is YAML
    seed = PromptMessage(role="user", content=f"{SEED}\n\n{{{{ query }}}}")
    with gateway.admin() as client:
        client.prompts.promote(PromptRelease(name="hidden", messages=(seed,), models=(MODEL,), reason="the seed"))
        with broken(gateway):
            begun = gateway.cli("optimize", str(file), "--on-server", "--detach", "--yes")
            assert begun.returncode == 0, begun.stderr
            run_id = client.prompts.runs.list(1)[0].id
            ended = client.prompts.runs.wait(run_id)
            proven = client.prompts.runs.result(run_id)
        assert ended.state == "done", ended.error
        assert proven.is_promoted, proven.sentence
        assert is_undelivered(proven)
        assert answered_by(gateway, "prompt:hidden") == "hidden@1"

        resumed = gateway.cli("prompts", "resume", run_id, "--detach")
        assert resumed.returncode == 0, resumed.stderr
        served = client.prompts.runs.wait(run_id)
        result = client.prompts.runs.result(run_id)
        assert (result.sentence, result.n_calls, is_undelivered(result)) == (proven.sentence, proven.n_calls, False)
        assert served.notes[-1] == "served as prompt:hidden@production, version 2"
        assert client.prompts.get("hidden").release.tracked_as == "prompts:/hidden/2"
        replies = [client.chat(one, model="prompt:hidden@production", max_tokens=3) for one in ASKED]
        assert answered_by(gateway, "prompt:hidden") == "hidden@2"
        assert {one["choices"][0]["message"]["content"].strip() for one in replies} <= set(LABELS)
        assert "the winner takes its place" in client.prompts.runs.report(run_id)
    with closing(sqlite3.connect(gateway.home / "mlflow.db")) as database:
        assert database.execute("select count(*) from runs where name = ?", (result.id,)).fetchone() == (1,)
