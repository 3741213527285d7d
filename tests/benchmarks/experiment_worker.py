"""One matrix on Ray Data, as a driver beside a running server: questions as JSON on stdin.

`python -m tests.benchmarks.experiment_worker DIRECTORY URL MODEL MAX_TOKENS`.
"""

import asyncio
import json
import sys
from pathlib import Path

import ray

from cluster.cells import GatewayAddress
from cluster.data import RayDataExecutor
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource, Decoding, ExperimentConfig
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from tests.matrix_process import score


async def run(directory: Path, url: str, config: ExperimentConfig, items: list[DatasetItem]) -> None:
    """Set up and execute."""
    async with AsyncClient(url) as client:
        executor = RayDataExecutor(GatewayAddress(url))
        runner = ExperimentRunner(directory, RunnerParts(hosted=client, executor=executor, scorer=score))
        await runner.execute_matrix(await runner.setup_experiment(config, items))
        runner.close()


def main(words: list[str]) -> None:
    """Read, connect, run."""
    items = [
        DatasetItem(id=f"q{at}", dataset="stories", query=text, scorer="exact", references=("-",))
        for at, text in enumerate(json.load(sys.stdin))
    ]
    config = ExperimentConfig(
        name="tokens",
        models=(words[2],),
        datasets=(DatasetSource(name="stories"),),
        decodings=(Decoding(max_tokens=int(words[3])),),
        use_cache=False,
    )
    ray.init(log_to_driver=False, logging_level="warning")
    asyncio.run(run(Path(words[0]), words[1], config, items))


if __name__ == "__main__":
    main(sys.argv[1:])
