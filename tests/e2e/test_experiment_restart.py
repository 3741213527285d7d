"""A server stopped, without keys, while an experiment runs and a prompt's optimisation waits: both go on later."""

from pathlib import Path

import pytest

from neuroforge.client import Client
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.experiments import Experiment, load_prompt_dataset
from tests.cluster.fleet import until
from tests.conftest import SMALL_FLEET
from tests.server import RunningServer, serving

MODEL = "smollm2-135m-instruct"
N_CELLS = 100


def study() -> Experiment:
    rows = [{"question": f"Say {one}.", "reference": str(one), "scorer": "exact"} for one in range(N_CELLS)]
    short = [{"name": "short", "max_tokens": 4}]
    data = load_prompt_dataset(rows, name="numbers")
    return Experiment("numbers", models=[MODEL], prompts=data, decodings=short, use_cache=False)


def n_done(client: Client, experiment_id: str) -> int:
    progress = client.experiments.status(experiment_id).progress
    return 0 if progress is None else progress.n_done


def stop_in_the_middle(server: RunningServer) -> tuple[str, str, int]:
    with Client(server.base_url) as client:
        task = OptimizeConfig(name="waits", prompt="Say it.\n\n{{ query }}", target_model=MODEL)
        client.prompts.runs.plan(task)  # the next check is quick
        started = client.experiments.start(study())
        waiting = client.prompts.runs.start(task)
        assert waiting.state == "queued"
        until(lambda: n_done(client, started.id) >= 5, "some cells are done")
        return started.id, waiting.id, n_done(client, started.id)


@pytest.mark.timeout(900)  # two servers start, one after the other: 2 minutes on an idle machine
def test_a_restart_interrupts_and_a_resume_asks_only_what_is_open(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    settings = {**SMALL_FLEET, "tracking": {"enabled": False}}
    with serving(tmp_path / "home", shared_home / "assets", settings) as server:
        experiment_id, run_id, n_before = stop_in_the_middle(server)
    with serving(tmp_path / "home", shared_home / "assets", settings) as server, Client(server.base_url) as client:
        found = client.experiments.status(experiment_id)
        assert (found.state, "the server stopped" in str(found.error)) == ("interrupted", True)
        assert client.prompts.runs.status(run_id).state == "interrupted"
        resumed = client.experiments.resume(experiment_id)
        assert client.prompts.runs.resume(run_id).state == "queued"
        ended = client.experiments.wait(experiment_id)
        cells = client.experiments.cells(experiment_id)
        assert client.prompts.runs.wait(run_id).state == "done"
        assert client.list_keys() == ()  # a key would have closed the server to everybody else
    assert resumed.state in {"queued", "running"}
    assert (ended.state, ended.tracked_at) == ("done", None)
    assert cells.num_rows == len(set(cells["cell_id"].to_pylist())) == N_CELLS
    assert ended.estimate is not None
    assert n_before >= 5
