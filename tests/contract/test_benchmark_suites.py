"""Every suite asked of SmolLM2 through a real gateway; and SmolLM2 as a judge of itself."""

from pathlib import Path

import pytest

from cluster.cells import GatewayAddress, GatewayCaller
from neuroforge.assets.store import AssetStore
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import CellReply, DatasetSource, ExperimentConfig, Judge
from neuroforge.contracts.scores import Score
from neuroforge.errors import NotFound
from neuroforge.experiments.benchmarks import BenchmarkSuite
from neuroforge.experiments.check import check_scorable
from neuroforge.experiments.items import load_items
from neuroforge.experiments.judge import LlmJudge
from neuroforge.experiments.local import LocalExecutor
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from neuroforge.experiments.score_cell import score_cell
from neuroforge.experiments.suites import SUITES
from neuroforge.scoring.sandbox import Sandbox
from tests.server import RunningServer

MODEL = "smollm2-135m-instruct"


class NoUploads:
    """Registry datasets only."""

    def read(self, digest: str) -> bytes:
        raise NotFound(f"no items {digest}")


async def run(directory: Path, server: RunningServer, assets_home: Path, config: ExperimentConfig) -> MatrixResult:
    """As the platform would, in this process."""
    sandbox = Sandbox()
    items = load_items(config, AssetStore(assets_home), NoUploads()).items
    check_scorable(config, items, sandbox)

    def score(item: DatasetItem, reply: CellReply) -> Score:
        return score_cell(item, reply, sandbox)

    caller = GatewayCaller(GatewayAddress(server.base_url, server.admin_key))
    async with AsyncClient(server.base_url, server.admin_key) as client:
        parts = RunnerParts(hosted=client, executor=LocalExecutor(caller), scorer=score)
        runner = ExperimentRunner(directory, parts)
        try:
            return await runner.execute_matrix(await runner.setup_experiment(config, items))
        finally:
            runner.close()
            await caller.close()


@pytest.mark.parametrize("suite", SUITES)
async def test_every_suite_is_asked_and_scored(
    tmp_path: Path, gateway: RunningServer, shared_home: Path, suite: str
) -> None:
    config = BenchmarkSuite().config(suite, [MODEL], limit=3)
    results = await run(tmp_path / "exp", gateway, shared_home, config)
    found = await BenchmarkSuite().run_benchmarks(results)
    assert results.state == "done"
    assert [one.dataset for one in found] == [member.dataset for member in SUITES[suite].members]
    assert {(one.n_scored, one.n_errors) for one in found} == {(3, 0)}


@pytest.mark.parametrize("mode", ["rubric", "pairwise"])
async def test_a_real_model_judges_in_json(
    tmp_path: Path, gateway: RunningServer, shared_home: Path, mode: str
) -> None:
    config = ExperimentConfig(
        name="judged",
        models=(MODEL,),
        datasets=(DatasetSource(name="truthfulqa", n=2),),
        decodings=({"name": "greedy"}, {"name": "warm", "temperature": 1.0}),
        scorer="judge",
        judge=Judge(model_id=MODEL, mode=mode, allow_same_family=True),
    )
    results = await run(tmp_path / "exp", gateway, shared_home, config)
    async with AsyncClient(gateway.base_url, gateway.admin_key) as client:
        report = await LlmJudge(client).grade(results)
    assert report is not None
    assert (report.n_judged, report.n_unparsed) == (4, 0)
    assert "which it may favour" in report.note
    assert (report.flip_rate is not None) == (mode == "pairwise")
