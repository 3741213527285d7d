"""The labelling job against a real gateway: as users run it, killed in the middle, and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from neuroforge.datasets.journal import read_answers
from tests.server import RunningServer

JOB = Path(__file__).resolve().parents[2] / "jobs" / "label_fleet.py"
N_QUESTIONS = 24


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {"question": f"What is {number} + 1?", "reference": number + 1, "scorer": "numeric", "task": "math"}
        for number in range(N_QUESTIONS - 1)
    ]
    code = {
        "question": "Write f.",
        "preamble": "def f():\n",
        "tests": "assert f() == 1",
        "entry_point": "f",
        "max_tokens": 16,
    }
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, code]))
    return path


def start(gateway: RunningServer, questions: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    words = ["--url", gateway.base_url, "--dataset", str(questions), "--out", str(out), "--allow-unsandboxed", *more]
    environment = {**gateway.environment, "NEUROFORGE_API_KEY": gateway.admin_key or ""}
    return subprocess.Popen(
        [sys.executable, str(JOB), *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_killed_run_goes_on_and_asks_nothing_twice(gateway: RunningServer, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    journal = tmp_path / "o.jsonl.answers" / "answers.jsonl"
    first = start(gateway, questions, out)
    deadline_s = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = read_answers(journal)
    second = start(gateway, questions, out)
    printed, told = second.communicate(timeout=120)
    assert second.returncode == 0, told
    assert len(kept) >= 3
    lines = Counter(json.loads(line)["cell_id"] for line in journal.read_text().splitlines())
    assert set(lines.values()) == {1}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == len(lines) == N_QUESTIONS
    assert all(0 <= row["scores"]["smollm2-135m-instruct"] <= 1 for row in rows)
    assert all(row["costs"]["smollm2-135m-instruct"] > 0 for row in rows)
    assert f"written: {out}, {N_QUESTIONS} questions" in printed


def test_a_time_budget_leaves_the_rest_for_later(gateway: RunningServer, questions: Path, tmp_path: Path) -> None:
    run = start(gateway, questions, tmp_path / "o.parquet", "--max-seconds", "0")
    printed, _ = run.communicate(timeout=120)
    assert run.returncode == 3
    assert f"{N_QUESTIONS} of {N_QUESTIONS} answers are missing" in printed


def test_an_unknown_model_is_an_error_with_the_known_ones(
    gateway: RunningServer, questions: Path, tmp_path: Path
) -> None:
    run = start(gateway, questions, tmp_path / "o.parquet", "--models", "smollm3")
    _, told = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "does not host 'smollm3'; it hosts smollm2-135m-instruct" in told
