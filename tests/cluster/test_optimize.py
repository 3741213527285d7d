"""`neuroforge optimize` on a real fleet: the proven prompt is served by name, tracked, and shown on a page."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.models import EngineKind, ModelSpec, Upstream
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.prompts.directory import REPORT, RESULT
from tests.cluster.fleet import load, unload
from tests.counting_engine import counting
from tests.search_process import config
from tests.server import RunningServer

TUTOR, CUE = "tutor", "step by step"


def answer(request: dict[str, Any]) -> str:
    """Right on half of the questions, and on all that it is told to think about."""
    text = request["messages"][-1]["content"]
    return "yes" if CUE in text or sum(text.encode()) % 2 else "no"


def optimize(server: RunningServer, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**server.environment, "NEUROFORGE_API_KEY": server.admin_key or ""}
    command = [sys.executable, "-m", "cluster.cli", "optimize", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)


@pytest.mark.timeout(600)
def test_a_proven_prompt_is_served_tracked_and_reported(gateway: RunningServer, tmp_path: Path) -> None:
    task, out = tmp_path / "task.yaml", tmp_path / "run"
    wanted = config(name="tutored", target_model=TUTOR, proposers=(), budget=Budget(max_calls=200))
    task.write_text(wanted.model_dump_json())  # JSON is YAML
    with counting([TUTOR], 4) as (engine, url), gateway.admin() as admin:
        engine.answer = answer
        load(admin, ModelSpec(id=TUTOR, engine=EngineKind.OPENAI_HTTP, upstream=Upstream(base_url=f"{url}/v1")))
        done = optimize(gateway, str(task), "--out", str(out), "--yes")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        engine.calls.clear()
        said = admin.chat("Question 7?", model="prompt:tutored")
        (put,) = engine.calls
        unload(admin, TUTOR)
    result = OptimizationResult.model_validate_json((out / RESULT).read_text())
    assert result.is_promoted, result.sentence
    assert result.registered is not None
    assert result.registered.aliases == ("production",)
    assert said["choices"][0]["message"]["content"] == "yes"
    assert CUE in put
    assert "Question 7?" in put
    assert "registered: tutored version 1, production" in done.stdout
    assert "the winner takes its place" in (out / REPORT).read_text()
    with sqlite3.connect(gateway.home / "mlflow.db") as database:
        names = [name for (name,) in database.execute("select name from runs")]
    assert names.count(result.id) == 1
