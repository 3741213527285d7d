"""The optimiser against other methods on a small model: a row a task, method and seed, kept as it is done.

`python -m tests.benchmarks.run_prompts field --data DIR [--limit-minutes N]` goes on where the last call stopped; two
calls with different `--method`s may run side by side.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import ItemAsker, ItemResult, Target
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.prepare import labels_of
from neuroforge.prompts.results import RESULTS as RESULTS_LOG
from neuroforge.prompts.results import ResultLog
from neuroforge.scoring.pipeline import score_reply as score_item
from neuroforge.scoring.sandbox import Sandbox
from tests.benchmarks.figures import RESULTS, Figure
from tests.benchmarks.peers_budget import score_reply
from tests.benchmarks.prompt_analysis import figures_of, write_table
from tests.benchmarks.prompt_gateway import serving_model
from tests.benchmarks.prompt_methods import METHODS, N_CALLS, Bench, Found, ScoreReply
from tests.benchmarks.prompt_model import LocalModel, local_model
from tests.benchmarks.prompt_peers import PEERS, peer_row
from tests.benchmarks.prompt_rows import BY_REPLIES, Row, append_row, read_rows, replied
from tests.benchmarks.prompt_tasks import PEER_TASKS, PromptTask, load_tasks
from tests.benchmarks.run import ASSETS_HOME

MODEL_ID = "smollm2-135m-instruct"
SEEDS = (0, 1, 2)
DIRECTORY = RESULTS / "prompts"


@dataclass(frozen=True)
class Wanted:
    """Which rows, and how long."""

    tasks: Sequence[str] = ()
    """Empty = all."""
    methods: Sequence[str] = ()
    """Empty = all."""
    limit_s: float | None = None
    """No row is begun after it."""


def run(data: Path | None, wanted: Wanted) -> list[Figure]:
    """Add the rows that are missing, as far as time allows, and return the figures of all."""
    store = AssetStore(ASSETS_HOME.absolute())
    asyncio.run(_add_rows(store, load_tasks(data, store), wanted))
    rows = read_rows(DIRECTORY)
    write_table(rows, DIRECTORY / "table.md")
    return figures_of(rows)


def missing(rows: Sequence[Row], tasks: Sequence[str], wanted: Wanted) -> Iterator[tuple[str, str, int]]:
    """Yield task, method and seed of each row that is wanted and not there: all tasks' first seed first."""
    there = {(one.task, one.method, one.seed) for one in rows}
    for seed in SEEDS:
        for task in tasks:
            for method in (*METHODS, *(PEERS if task in PEER_TASKS else ())):
                is_wanted = (not wanted.tasks or task in wanted.tasks) and (
                    not wanted.methods or method in wanted.methods
                )
                names = (method, replied(method)) if method in BY_REPLIES else (method,)
                if is_wanted and any((task, one, seed) not in there for one in names):
                    yield task, method, seed


async def _add_rows(store: AssetStore, tasks: Sequence[PromptTask], wanted: Wanted) -> None:
    begun_s = time.monotonic()
    task_by_name = {one.name: one for one in tasks}
    async with local_model(store, MODEL_ID) as model, serving_model(model.engine) as served:
        # Read anew each time: another call may have added rows.
        while (found := next(missing(read_rows(DIRECTORY), list(task_by_name), wanted), None)) is not None:
            if wanted.limit_s is not None and time.monotonic() - begun_s > wanted.limit_s:
                return
            name, method, seed = found
            task = task_by_name[name]
            if method in PEERS:
                _keep(await peer_row(served, task, method, seed, N_CALLS))
                continue
            # A log has one writer, and two methods of a task may run side by side.
            with closing(ResultLog(DIRECTORY / "calls" / name / method / RESULTS_LOG, time.monotonic)) as log:
                await _add_own(_bench(task, model, log), method, seed)


async def _add_own(bench: Bench, method: str, seed: int) -> None:
    known = {one.method: one for one in read_rows(DIRECTORY) if (one.task, one.seed) == (bench.task.name, seed)}
    row = known.get(method)
    if row is None:
        row = await _row(bench, method, seed)
        _keep(row)
    if method in BY_REPLIES and replied(method) not in known:
        _keep(await _replied_row(bench, row))


def _keep(row: Row) -> None:
    append_row(DIRECTORY, row)
    print(f"{row.task}, {row.method}, seed {row.seed}: {row.score:.3f} ({row.seconds:.0f} s)", flush=True)


def _bench(task: PromptTask, model: LocalModel, log: ResultLog) -> Bench:
    sandbox = Sandbox()

    async def score(item: DatasetItem, reply: str) -> Score:
        return score_item(item, reply, sandbox)

    evaluator = _evaluator(task, model, log, labels_of(task.train), score)
    return Bench(task, model, score, evaluator, DIRECTORY / "runs")


def _evaluator(
    task: PromptTask, model: LocalModel, log: ResultLog, labels: tuple[str, ...], score: ScoreReply
) -> Evaluator:
    target = Target(model.target.model_id, model.target.digest, labels)
    items = {item.id: item for item in (*task.train, *task.test)}
    return Evaluator(ItemAsker(model, target, score, asyncio.sleep), items, log, 1)


async def _row(bench: Bench, method: str, seed: int) -> Row:
    begun_s = time.monotonic()
    found: Found = await METHODS[method](bench, seed)
    searched_s = time.monotonic() - begun_s
    results = await _tested(bench.evaluator, found.program, bench.task)
    return Row(
        task=bench.task.name,
        method=method,
        seed=seed,
        scores=_digits(results),
        n_calls=found.n_calls,
        n_prompt_tokens=found.n_prompt_tokens,
        n_proposer_calls=found.n_proposer_calls,
        n_proposer_tokens=found.n_proposer_tokens,
        n_test_tokens=sum(one.n_prompt_tokens for one in results),
        seconds=searched_s,
        program=PromptProgram.model_dump(found.program, mode="json", exclude_defaults=True),
    )


async def _replied_row(bench: Bench, row: Row) -> Row:
    """The same program, its test scored by what the model writes, as the peers' are."""
    program, labels = PromptProgram.model_validate(row.program), labels_of(bench.task.train)
    if not labels:  # tested so already
        return replace(row, method=replied(row.method))

    async def score(item: DatasetItem, reply: str) -> Score:
        return score_reply(item, reply, labels)

    # A log of its own: the same reply is worth less where the task's scorer wants the label alone.
    with closing(ResultLog(DIRECTORY / "replies" / bench.task.name / row.method / RESULTS_LOG, time.monotonic)) as log:
        results = await _tested(_evaluator(bench.task, bench.model, log, (), score), program, bench.task)
    n_tokens = sum(one.n_prompt_tokens for one in results)
    return replace(row, method=replied(row.method), scores=_digits(results), n_test_tokens=n_tokens)


async def _tested(evaluator: Evaluator, program: PromptProgram, task: PromptTask) -> tuple[ItemResult, ...]:
    results = await evaluator.results_of(program, [item.id for item in task.test])
    if failed := [one.reason for one in results if one.is_failed]:
        raise RuntimeError(f"a figure over errors is none: {failed[0]}")
    return results


def _digits(results: Sequence[ItemResult]) -> str:
    return "".join("1" if one.score == 1.0 else "0" for one in results)
