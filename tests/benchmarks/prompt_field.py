"""The optimiser against other methods on a small model: a row a task, method and seed, kept as it is done.

`python -m tests.benchmarks.run_prompts field --data DIR [--limit-minutes N]` goes on where the last call stopped.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import ItemAsker, Target
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.prepare import labels_of
from neuroforge.prompts.results import RESULTS as RESULTS_LOG
from neuroforge.prompts.results import ResultLog
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox
from tests.benchmarks.figures import RESULTS, Figure
from tests.benchmarks.prompt_analysis import figures_of, write_table
from tests.benchmarks.prompt_methods import METHODS, Bench, Found
from tests.benchmarks.prompt_model import LocalModel, local_model
from tests.benchmarks.prompt_rows import Row, read_rows
from tests.benchmarks.prompt_tasks import PromptTask, load_tasks
from tests.benchmarks.run import ASSETS_HOME

MODEL_ID = "smollm2-135m-instruct"
SEEDS = (0, 1, 2)
DIRECTORY = RESULTS / "prompts"


@dataclass(frozen=True)
class Wanted:
    """Which rows, and how long."""

    tasks: Sequence[str] = ()
    """Empty = all."""
    limit_s: float | None = None
    """No row is begun after it."""


def run(data: Path | None, wanted: Wanted) -> list[Figure]:
    """Add the rows that are missing, as far as time allows, and return the figures of all."""
    store = AssetStore(ASSETS_HOME.absolute())
    tasks = [one for one in load_tasks(data, store) if not wanted.tasks or one.name in wanted.tasks]
    asyncio.run(_add_rows(store, tasks, wanted))
    rows = read_rows(DIRECTORY)
    write_table(rows, DIRECTORY / "table.md")
    return figures_of(rows)


async def _add_rows(store: AssetStore, tasks: Sequence[PromptTask], wanted: Wanted) -> None:
    begun_s = time.monotonic()
    async with local_model(store, MODEL_ID) as model:
        for task in tasks:
            done = {(one.method, one.seed) for one in read_rows(DIRECTORY) if one.task == task.name}
            left = [(method, seed) for seed in SEEDS for method in METHODS if (method, seed) not in done]
            with closing(ResultLog(DIRECTORY / "calls" / task.name / RESULTS_LOG, time.monotonic)) as log:
                bench = _bench(task, model, log)
                for method, seed in left:
                    if wanted.limit_s is not None and time.monotonic() - begun_s > wanted.limit_s:
                        return
                    row = await _row(bench, method, seed)
                    with (DIRECTORY / f"{task.name}.jsonl").open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(row)) + "\n")
                    print(
                        f"{row.task}, {row.method}, seed {row.seed}: {row.score:.3f} ({row.seconds:.0f} s)", flush=True
                    )


def _bench(task: PromptTask, model: LocalModel, log: ResultLog) -> Bench:
    sandbox = Sandbox()

    async def score(item: DatasetItem, reply: str) -> Score:
        return score_reply(item, reply, sandbox)

    target = Target(model.target.model_id, model.target.digest, labels_of(task.train))
    items = {item.id: item for item in (*task.train, *task.test)}
    evaluator = Evaluator(ItemAsker(model, target, score, asyncio.sleep), items, log, 1)
    return Bench(task, model, score, evaluator, DIRECTORY / "runs")


async def _row(bench: Bench, method: str, seed: int) -> Row:
    begun_s = time.monotonic()
    found: Found = await METHODS[method](bench, seed)
    searched_s = time.monotonic() - begun_s
    results = await bench.evaluator.results_of(found.program, [item.id for item in bench.task.test])
    if failed := [one.reason for one in results if one.is_failed]:
        raise RuntimeError(f"a figure over errors is none: {failed[0]}")
    return Row(
        task=bench.task.name,
        method=method,
        seed=seed,
        scores="".join("1" if one.score == 1.0 else "0" for one in results),
        n_calls=found.n_calls,
        n_prompt_tokens=found.n_prompt_tokens,
        n_proposer_calls=found.n_proposer_calls,
        n_proposer_tokens=found.n_proposer_tokens,
        n_test_tokens=sum(one.n_prompt_tokens for one in results),
        seconds=searched_s,
        program=PromptProgram.model_dump(found.program, mode="json", exclude_defaults=True),
    )
