"""A whole optimisation as a process, to be killed: `python -m tests.search_process DIRECTORY URL CONFIG [N]`.

With N it is driven by Ray Tune, N calls at once a worker; without, in the process itself.
"""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.cells import GatewayAddress
from neuroforge.assets.store import AssetStore
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.prompts.attempts import ATTEMPTS
from neuroforge.prompts.directory import RESULT, STATE
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.run import OptimizationRun, run_optimization
from neuroforge.prompts.search import SearchDriver, search
from neuroforge.scoring.sandbox import Sandbox

SEED = "Answer the question by yes or no.\n\n{{ query }}"
WRITER = "writer"


def config(**changes: Any) -> OptimizeConfig:
    """Sixty questions whose answer is yes; `writer` writes prompts."""
    items = tuple(
        DatasetItem(
            id=f"q{k}", dataset="quiz", query=f"Question {k}?", scorer="exact", references=("yes",), max_tokens=2
        )
        for k in range(60)
    )
    fields: dict[str, Any] = {
        "name": "killed",
        "prompt": SEED,
        "target_model": "m",
        "items": items,
        "use_logprobs": False,
        "population": 10,
        "proposers": (WRITER,),
        "budget": Budget(max_calls=700),
    }
    return OptimizeConfig(**(fields | changes))


def tutor(request: dict[str, Any]) -> str:
    """Answers to half of all prompts are right, and to more where they ask for steps; the writer writes."""
    text = request["messages"][-1]["content"]
    number = sum(text.encode())
    if request["model"] == WRITER:
        return f"Give your answer to the question, way {number % 9}."
    return "yes" if number % (8 if "step by step" in text else 2) else "no"


@dataclass(frozen=True)
class SearchCommand:
    """One run, as a command."""

    directory: Path
    url: str
    config: OptimizeConfig
    environment: dict[str, str]
    slots_a_worker: int | None = None

    def start(self) -> "subprocess.Popen[str]":
        """Start it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "task.json"
        path.write_text(self.config.model_dump_json())
        words = [str(self.directory), self.url, str(path)]
        words += [] if self.slots_a_worker is None else [str(self.slots_a_worker)]
        command = [sys.executable, "-m", "tests.search_process", *words]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, timeout_s: float = 240.0) -> tuple[float, str]:
        """Run it to its end; return how long it worked, without the process's start, and what it wrote to stderr."""
        run = self.start()
        printed, told = run.communicate(timeout=timeout_s)
        assert run.returncode == 0, printed[-2000:] + told[-3000:]
        return float(printed.strip().splitlines()[-1]), told

    def found(self) -> dict[str, Any]:
        """All that it found, less what tells the time."""
        state = EvolutionState.model_validate_json((self.directory / STATE).read_text())
        result = OptimizationResult.model_validate_json((self.directory / RESULT).read_text())
        return {
            "candidates": [(one.id, one.operator, one.parents, one.generation) for one in state.candidates],
            "evaluations": [(one.candidate_id, one.block, one.scores, one.n_calls) for one in state.evaluations],
            "pool": state.pool,
            "elite": state.elite,
            "ended_because": state.ended_because,
            "winner": result.optimized,
            "sentence": result.sentence,
        }


async def run(directory: Path, url: str, wanted: OptimizeConfig, drive: SearchDriver) -> None:
    """Optimise, or go on."""
    async with AsyncClient(url) as client:
        attempts = directory / ATTEMPTS
        needed = OptimizationRun(client, AssetStore(directory), Sandbox(), directory, attempts, drive=drive)
        await run_optimization(wanted, needed)


def main(words: list[str]) -> None:
    """Run."""
    directory, url, wanted = Path(words[0]), words[1], OptimizeConfig.model_validate_json(Path(words[2]).read_text())
    drive: SearchDriver = search
    if len(words) > 3:
        import ray

        from cluster.tune import TuneDriver

        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level="warning")
        drive = TuneDriver(GatewayAddress(url), slots_a_worker=int(words[3]))
    begun_s = time.perf_counter()
    asyncio.run(run(directory, url, wanted, drive))
    print(time.perf_counter() - begun_s)


if __name__ == "__main__":
    main(sys.argv[1:])
