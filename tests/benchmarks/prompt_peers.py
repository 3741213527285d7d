"""DSPy's optimisers and GEPA on a task of the field, each run a process in an environment of its own -> Row.

They are asked for through the gateway (prompt_gateway.py), and what they found is tested as they use it: by replies,
in their own format.
"""

import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from neuroforge.prompts.prepare import labels_of
from neuroforge.prompts.program import program_of_text
from tests.benchmarks.peers_budget import score_reply
from tests.benchmarks.prompt_gateway import PROPOSER, TASK, TEST, Served
from tests.benchmarks.prompt_rows import Row
from tests.benchmarks.prompt_tasks import PromptTask

REQUIREMENTS = ("dspy==3.4.1", "gepa==0.1.4", "optuna>=4,<5")
"""Optuna is what MIPROv2 asks for."""
HOME = Path(".neuroforge") / "peers-env"
STAMP = "requirements.sha256"
RUN_TIMEOUT_S = 6 * 3600.0
_SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """Which script, and what it is told beside the job."""

    script: str
    words: tuple[str, ...] = ()


PEERS = {
    "GEPA": Peer("peers_gepa"),
    "DSPy BootstrapFewShotWithRandomSearch": Peer("peers_dspy", ("random_search",)),
    "DSPy MIPROv2": Peer("peers_dspy", ("mipro",)),
}


def create_environment(home: Path = HOME) -> Path:
    """Install the peers aside unless they are there, and return the interpreter. A second call waits for the first."""
    stamp = hashlib.sha256("\n".join((sys.version, *REQUIREMENTS)).encode()).hexdigest()
    python = (home / "bin" / "python").absolute()
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(home.with_suffix(".lock")):
        if not (home / STAMP).is_file() or (home / STAMP).read_text() != stamp:
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
            (home / STAMP).write_text(stamp)
    return python


async def peer_row(served: Served, task: PromptTask, method: str, seed: int, n_calls: int) -> Row:
    """Run one peer and score what its program replied to the test.

    Raises:
        RuntimeError: Its process failed; says what it said last.
    """
    served.reset()
    python = await asyncio.to_thread(create_environment)
    peer, begun_s = PEERS[method], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nf-peer-") as directory:
        job, answer, log = (Path(directory) / name for name in ("job.json", "answer.json", "log"))
        job.write_text(json.dumps(job_of(task, seed, n_calls, served.openai_url)), encoding="utf-8")
        command = [str(python), "-m", f"tests.benchmarks.{peer.script}", str(job), str(answer), *peer.words]
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=file, stderr=file, env=_environment(Path(directory))
            )
            try:
                status = await asyncio.wait_for(process.wait(), RUN_TIMEOUT_S)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if status != 0:
            raise RuntimeError(f"{method}, {task.name}, seed {seed}:\n{log.read_text(errors='replace')[-6000:]}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    counts = served.engine.counts
    if counts[TEST].n_calls < len(task.test):
        raise RuntimeError(f"{method}, {task.name}: {counts[TEST].n_calls} replies to {len(task.test)} items")
    return Row(
        task=task.name,
        method=method,
        seed=seed,
        scores=digits(task, found["replies"]),
        n_calls=found["n_calls"],
        n_prompt_tokens=counts[TASK].n_prompt_tokens,
        n_proposer_calls=counts[PROPOSER].n_calls,
        n_proposer_tokens=counts[PROPOSER].n_prompt_tokens,
        n_test_tokens=counts[TEST].n_prompt_tokens,
        seconds=time.monotonic() - begun_s,
        program=found["program"],
    )


def job_of(task: PromptTask, seed: int, n_calls: int, url: str) -> dict[str, object]:
    """Return what the script is told; the training items stand in an order drawn by the seed."""
    drawn = random.Random(seed).sample(task.train, len(task.train))
    return {
        "seed": seed,
        "n_calls": n_calls,
        "instruction": program_of_text(task.prompt).instruction,
        "labels": labels_of(task.train),
        "train": [item.model_dump(mode="json") for item in drawn],
        "test": [item.model_dump(mode="json") for item in task.test],
        "url": url,
        "task_model": TASK,
        "proposer_model": PROPOSER,
        "test_model": TEST,
    }


def digits(task: PromptTask, replies: Sequence[str]) -> str:
    """Return a digit an item of the test, 1 = right."""
    labels = labels_of(task.train)
    pairs = zip(task.test, replies, strict=True)
    return "".join("1" if score_reply(item, reply, labels).value == 1.0 else "0" for item, reply in pairs)


def _environment(directory: Path) -> dict[str, str]:
    """The run's own: no answers of an earlier run are found, nothing is told to anybody."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DSPY_", "OPENAI_"))}
    return {
        **inherited,
        "PYTHONPATH": str(_SCRIPTS.parent.parent),
        "DSPY_CACHEDIR": str(directory / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DO_NOT_TRACK": "1",
    }
