"""A real run in a process of its own, to be killed: `python -m tests.matrix_process DIRECTORY URL N KIND MODELS`.

KIND: ray or local.
"""

import asyncio
import os
import sys
from pathlib import Path

from cluster.cells import GatewayAddress, GatewayCaller
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import CellReply, DatasetSource, ExperimentConfig
from neuroforge.contracts.ports_experiments import CellExecutor
from neuroforge.contracts.scores import Score
from neuroforge.experiments.local import LocalExecutor
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from neuroforge.scoring.exact import score_exact


def items(n: int) -> list[DatasetItem]:
    """Questions whose answer is `yes`."""
    return [
        DatasetItem(id=f"q{one}", dataset="quiz", query=f"Question {one}?", scorer="exact", references=("yes",))
        for one in range(n)
    ]


def config(models: str) -> ExperimentConfig:
    """One prompt, greedy."""
    return ExperimentConfig(
        name="killed", models=tuple(models.split(",")), datasets=(DatasetSource(name="quiz"),), use_cache=False
    )


def score(item: DatasetItem, reply: CellReply) -> Score:
    """By the item's own scorer."""
    return score_exact(reply.reply or "", item.references)


async def run(directory: Path, url: str, n_items: int, executor: CellExecutor, models: str) -> MatrixResult:
    """Set up and execute."""
    async with AsyncClient(url) as client:
        runner = ExperimentRunner(directory, RunnerParts(hosted=client, executor=executor, scorer=score))
        try:
            return await runner.execute_matrix(await runner.setup_experiment(config(models), items(n_items)))
        finally:
            runner.close()


def main(words: list[str]) -> None:
    """Run and print how many cells are done."""
    directory, url, n_items, kind, models = Path(words[0]), words[1], int(words[2]), words[3], words[4]
    if kind == "ray":
        import ray

        from cluster.data import RayDataExecutor

        ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level="warning")
        executor: CellExecutor = RayDataExecutor(GatewayAddress(url))
    else:
        executor = LocalExecutor(GatewayCaller(GatewayAddress(url)))
    result = asyncio.run(run(directory, url, n_items, executor, models))
    print(result.state, result.progress.n_done, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
