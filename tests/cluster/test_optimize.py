"""`neuroforge optimize` on a real fleet: the proven prompt is served by name, tracked, and shown on a page."""

import sqlite3
from pathlib import Path

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.models import EngineKind, ModelSpec, Upstream
from neuroforge.contracts.prompts import OptimizationResult
from neuroforge.prompts.directory import REPORT, RESULT
from tests.cluster.fleet import load, unload, until
from tests.counting_engine import counting
from tests.search_process import config, tutor
from tests.server import RunningServer

TUTOR = "tutor"


@pytest.mark.timeout(600)
def test_a_proven_prompt_is_served_tracked_and_reported(gateway: RunningServer, tmp_path: Path) -> None:
    task, out = tmp_path / "task.yaml", tmp_path / "run"
    wanted = config(name="tutored", target_model=TUTOR, proposers=(), budget=Budget(max_calls=500))
    task.write_text(wanted.model_dump_json())  # JSON is YAML
    with counting([TUTOR], 4) as (engine, url), gateway.admin() as admin:
        engine.answer = tutor
        load(admin, ModelSpec(id=TUTOR, engine=EngineKind.OPENAI_HTTP, upstream=Upstream(base_url=f"{url}/v1")))
        done = gateway.cli("optimize", str(task), "--out", str(out), "--yes")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        result = OptimizationResult.model_validate_json((out / RESULT).read_text())
        until(lambda: "tutored" in {one.release.name for one in admin.prompts.list()}, "it is kept", 10)
        said = admin.chat("Question 7?", model="prompt:tutored")
        unload(admin, TUTOR)
    assert result.is_promoted, result.sentence
    assert result.registered is not None
    assert result.registered.aliases == ("production",)
    assert said["choices"][0]["message"]["content"] in ("yes", "no")
    assert any("step by step" in request and "Question 7?" in request for request in engine.calls), (
        "the gateway put the question in the proven prompt's words"
    )
    assert "registered: tutored version 1, production" in done.stdout
    assert "the winner takes its place" in (out / REPORT).read_text()
    with sqlite3.connect(gateway.home / "mlflow.db") as database:
        names = [name for (name,) in database.execute("select name from runs")]
    assert names.count(result.id) == 1
