"""A judge on a real fleet: SmolLM2's answers to open questions, graded and compared through the gateway.

The judge is SmolLM2 as well, under another name: it reads badly, which is what kappa and flips are there to show.
"""

from collections.abc import Iterator

import pytest

from neuroforge.client import Client
from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiment_desk import HumanLabel
from neuroforge.contracts.experiments import Judge
from neuroforge.experiments import Experiment, load_prompt_dataset
from tests.cluster.fleet import load, small, unload
from tests.server import RunningServer

CONTESTANT, JUDGE = "smollm2-135m-instruct", "grader"
QUESTIONS = [{"question": f"Say something kind about {what}."} for what in ("rain", "bread", "cats", "maps", "snow")]
TEMPLATES = {"plain": "{{ query }}", "curt": "{{ query }} Use one word only."}
N_CELLS = len(QUESTIONS) * len(TEMPLATES)


@pytest.fixture(scope="module")
def nf(gateway: RunningServer) -> Iterator[Client]:
    with gateway.admin() as client:
        load(client, small(JUDGE, context_length=2048, parallel=2))
        yield client
        unload(client, JUDGE)


def judged_by(judge: Judge) -> Experiment:
    data = load_prompt_dataset(QUESTIONS, templates=TEMPLATES, name="kindness", scorer="judge")
    decodings = [{"name": "short", "max_tokens": 16}]
    return Experiment("kindness", models=[CONTESTANT], prompts=data, decodings=decodings, judge=judge)


def grades(client: Client, experiment_id: str) -> dict[str, float | None]:
    rows = client.experiments.cells(experiment_id).to_pylist()
    return {row["cell_id"]: row["score"] for row in rows}


def label_against_the_judge(client: Client, experiment_id: str) -> Analysis:
    """People say good where the judge did not, and the other way round."""
    readable = {cell_id: grade for cell_id, grade in grades(client, experiment_id).items() if grade is not None}
    labels = [HumanLabel(cell_id=cell_id, value=float(grade < 0.5)) for cell_id, grade in readable.items()]
    assert client.experiments.add_labels(experiment_id, labels).n_cells == len(readable)
    client.experiments.rescore(experiment_id)
    assert client.experiments.wait(experiment_id).state == "done"
    return client.experiments.analysis(experiment_id)


def test_grades_by_rubric_stand_until_people_contradict_them(nf: Client) -> None:
    results = nf.experiments.run(judged_by(Judge(model_id=JUDGE, rubric="A good answer is kind.")))
    graded = grades(nf, results.id)
    judge = results.analysis.judge
    assert judge is not None
    assert (len(graded), judge.n_judged + judge.n_unparsed) == (N_CELLS, N_CELLS)
    assert judge.n_judged > 0
    assert (judge.kappa, judge.is_trusted) == (None, True)
    assert "import labels" in judge.note

    contradicted = label_against_the_judge(nf, results.id)

    judge = contradicted.judge
    assert judge is not None
    assert judge.kappa is not None
    assert judge.kappa.mean < 0.4
    assert (judge.kappa.n, judge.is_trusted, contradicted.winner) == (judge.n_judged, False, None)
    assert contradicted.summary[0].startswith("No winner is named, because the judge cannot be trusted")
    assert "Kappa against people" in nf.experiments.report(results.id)
    assert grades(nf, results.id) == graded


def test_pairs_are_compared_in_both_orders_and_flips_are_reported(nf: Client) -> None:
    results = nf.experiments.run(judged_by(Judge(model_id=JUDGE, mode="pairwise")))
    judge = results.analysis.judge
    assert judge is not None
    assert judge.flip_rate is not None
    assert judge.flip_rate.n + judge.n_unparsed == len(QUESTIONS)
    assert 0 <= judge.flip_rate.low <= judge.flip_rate.mean <= judge.flip_rate.high <= 1
    assert "Verdicts that turned with the order" in nf.experiments.report(results.id)
    shares = grades(nf, results.id)
    assert {one for one in shares.values() if one is not None} <= {0.0, 0.5, 1.0}
