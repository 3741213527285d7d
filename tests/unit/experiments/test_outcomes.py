from pathlib import Path

import pytest

from neuroforge.contracts.experiments import Decoding, ExperimentConfig
from neuroforge.errors import DataError
from neuroforge.experiments.outcomes import export_outcomes
from neuroforge.experiments.table import CellTable, read_cells
from neuroforge.router.fit.data import read_outcomes
from tests.unit.experiments.synthetic import PLAIN, STEPS, cell, config_of, finished, variants_of


def exported(directory: Path, rows: list[dict[str, object]], config: ExperimentConfig, **items: object) -> int:
    results = finished(directory, rows, config, **items)  # type: ignore[arg-type]
    table: CellTable = read_cells(Path(results.cells), [one.id for one in variants_of(config)])
    path = directory / "outcomes.parquet"
    return export_outcomes(table, config, variants_of(config), directory / "items.jsonl", path)


def test_the_router_reads_what_is_written(tmp_path: Path) -> None:
    rows = [
        cell("a", "1", 1.0, task="maths", cost_usd=0.5),
        cell("b", "1", 0.0, task="maths", cost_usd=0.25),
        cell("a", "2", error_code="gone"),
        cell("b", "2", 0.5),
    ]
    assert exported(tmp_path, rows, config_of("ab")) == 2
    read = read_outcomes(tmp_path / "outcomes.parquet")
    assert read.queries == ("question 1?", "question 2?")
    assert read.model_ids == ("a", "b")
    assert read.scores.tolist() == [[1.0, 0.0], [0.0, 0.5]]
    assert read.is_known.tolist() == [[True, True], [False, True]]
    assert read.tasks == ("math", None)


def test_of_several_prompts_only_the_plain_one_counts(tmp_path: Path) -> None:
    config = config_of("a", prompts=(PLAIN, STEPS))
    rows = [cell("a|plain", "1", 0.0, model_id="a"), cell("a|steps", "1", 1.0, model_id="a")]
    assert exported(tmp_path, rows, config) == 1
    assert read_outcomes(tmp_path / "outcomes.parquet").scores.tolist() == [[0.0]]


def test_without_a_plain_prompt_there_is_nothing_to_learn(tmp_path: Path) -> None:
    assert exported(tmp_path, [cell("a", "1", 1.0)], config_of("a", prompts=(STEPS,))) == 0
    assert not (tmp_path / "outcomes.parquet").exists()


def test_repeats_and_decodings_become_their_mean(tmp_path: Path) -> None:
    config = config_of("a", decodings=(Decoding(), Decoding(name="hot", temperature=1.0)), repeats=2)
    rows = [
        cell("a|greedy", "1", 1.0, model_id="a"),
        cell("a|greedy", "1", 0.0, model_id="a", repeat=1),
        cell("a|hot", "1", 0.0, model_id="a"),
    ]
    assert exported(tmp_path, rows, config) == 1
    assert read_outcomes(tmp_path / "outcomes.parquet").scores.tolist() == [[0.25]]


def test_an_item_inside_a_conversation_is_left_out(tmp_path: Path) -> None:
    item = {"id": "1", "dataset": "quiz", "query": "and now?", "messages": [{"role": "user", "content": "hi"}]}
    assert exported(tmp_path, [cell("a", "1", 1.0)], config_of("a"), items=[item]) == 0


def test_a_line_that_is_no_item_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1 is no item: it lacks query"):
        exported(tmp_path, [cell("a", "1", 1.0)], config_of("a"), items=[{"id": "1", "dataset": "quiz"}])
