"""The owner's script, in its order, against a real server: define, run, generate insights, update the rules.

The contestants are SmolLM2 and an upstream that adds two numbers and can do nothing else.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import neuroforge
from neuroforge.contracts.experiments import ExperimentStatus
from neuroforge.contracts.models import EngineKind, ModelSpec, Upstream
from neuroforge.experiments import Experiment, load_prompt_dataset
from tests.cluster.fleet import load, unload
from tests.server import RunningServer
from tests.sums import adding_server

SMALL, ADDER = "smollm2-135m-instruct", "adder"
ADDITIONS = [
    {"question": f"What is {a} + {b}? Answer with the number.", "reference": str(a + b), "scorer": "numeric"}
    for a, b in ((17, 25), (38, 46), (71, 19), (53, 28), (64, 87), (92, 39), (45, 76), (88, 35))
]
TEMPLATES = {"plain": "{{ query }}", "polite": "Please help me. {{ query }}"}


@pytest.fixture
def adder(gateway: RunningServer) -> Iterator[None]:
    """A second model; it leaves the fleet afterwards."""
    with adding_server() as url, gateway.admin() as client:
        load(client, ModelSpec(id=ADDER, engine=EngineKind.OPENAI_HTTP, upstream=Upstream(base_url=url), preload=False))
        yield
        unload(client, ADDER)


@pytest.mark.usefixtures("adder")
def test_the_owners_script(gateway: RunningServer, tmp_path: Path) -> None:
    seen: list[ExperimentStatus] = []
    with neuroforge.connect(gateway.base_url, gateway.admin_key) as nf:
        # Define experiment
        experiment = Experiment(
            name="prompt_optimization_study",
            models=[SMALL, ADDER],
            prompts=load_prompt_dataset(ADDITIONS, templates=TEMPLATES, name="additions"),
            metrics=["quality", "speed", "consistency"],
            repeats=2,
            decodings=[{"name": "short", "temperature": 0.7, "max_tokens": 12}],
        )
        # Run experiment
        results = nf.experiments.run(experiment, on_progress=seen.append)
        # Generate insights
        insights = nf.experiments.generate_insights(results)
        # Update orchestration rules
        entry = nf.update_routing_rules(insights)
        # What is there besides
        report = nf.experiments.report(results.id, tmp_path / "report.html")
        cells = nf.experiments.cells(results.id)

    assert (results.status.state, results.status.notes) == ("done", ())
    assert str(results.status.tracked_at).startswith("sqlite:///")
    assert insights[0].model_id == ADDER
    assert insights[0].difference.low > 0
    # The router's own gate: no live outcome speaks for the rules yet, so they are replayed and refused.
    assert (entry.rules.evidence, entry.state) == (results.id, "refused")
    assert ADDER in {pin.model_id for pin in entry.rules.pins} | {one.model_id for one in entry.rules.priors}
    assert cells.num_rows == 2 * 2 * 2 * len(ADDITIONS)
    assert len(set(cells["cell_id"].to_pylist())) == cells.num_rows
    assert set(cells["error_code"].to_pylist()) == {None}
    assert "prompt_optimization_study" in report
    assert [one.state for one in seen][-1] == "done"
