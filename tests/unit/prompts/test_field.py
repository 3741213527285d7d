"""The field's benchmark where it needs no model: rows, budgets, what is missing, and the differences."""

import json
from pathlib import Path

import numpy as np
import pytest

from neuroforge.contracts.datasets import DatasetItem
from tests.benchmarks.peers_budget import Purse, Spent, read_job, score_reply
from tests.benchmarks.prompt_analysis import figures_of, interval, paired
from tests.benchmarks.prompt_field import SEEDS, Wanted, missing
from tests.benchmarks.prompt_methods import METHODS
from tests.benchmarks.prompt_peers import PEERS, digits, job_of
from tests.benchmarks.prompt_rows import Row, append_row, read_rows, replied
from tests.benchmarks.prompt_tasks import PEER_TASKS, PromptTask


def row(method: str, scores: str, task: str = "t", seed: int = 0) -> Row:
    return Row(task, method, seed, scores, 200, 0, 0, 0, 0, 1.0, {})


def item(name: str, answer: str, **changes: object) -> DatasetItem:
    values = {"id": name, "dataset": "d", "query": f"q {name}", "scorer": "normalized", "references": (answer,)}
    return DatasetItem.model_validate({**values, **changes})


def task() -> PromptTask:
    train = tuple(item(str(place), "yes" if place % 2 else "no") for place in range(60))
    return PromptTask("t", "Answer yes or no.\n\n{{ query }}", train, (item("a", "yes"), item("b", "no")))


def test_rows_are_read_as_they_were_added(tmp_path: Path) -> None:
    added = [row("GEPA", "10", seed=seed) for seed in (1, 0)]
    for one in added:
        append_row(tmp_path, one)
    assert read_rows(tmp_path) == added


def test_what_is_missing_starts_with_the_first_seed_of_every_task() -> None:
    found = list(missing([], ["sentiment", "mmlu"], Wanted()))
    assert [(name, seed) for name, method, seed in found if method == "NeuroForge"][:3] == [
        ("sentiment", 0),
        ("mmlu", 0),
        ("sentiment", 1),
    ]
    assert len(found) == len(SEEDS) * (2 * len(METHODS) + len(PEERS))


def test_peers_run_on_their_tasks_only() -> None:
    found = {name for name, method, _ in missing([], [*PEER_TASKS, "mmlu"], Wanted()) if method in PEERS}
    assert found == set(PEER_TASKS)


def test_a_row_that_is_there_is_not_missing() -> None:
    rows = [row("GEPA", "1", "sentiment", seed) for seed in (0, 2)]
    assert list(missing(rows, ["sentiment"], Wanted(methods=("GEPA",)))) == [("sentiment", "GEPA", 1)]


def test_a_seed_that_was_not_tested_by_replies_is_missing() -> None:
    rows = [row("seed prompt", "1", "mmlu", seed) for seed in SEEDS]
    rows += [row(replied("seed prompt"), "1", "mmlu", seed) for seed in (0, 1)]
    assert list(missing(rows, ["mmlu"], Wanted(methods=("seed prompt",)))) == [("mmlu", "seed prompt", 2)]


def test_the_purse_ends_before_the_call_too_many() -> None:
    purse = Purse(2)
    purse.spend()
    purse.spend()
    with pytest.raises(Spent):
        purse.spend()
    assert purse.n_calls == 2


def test_an_optimiser_cannot_take_the_end_of_the_calls_for_a_wrong_answer() -> None:
    assert not issubclass(Spent, Exception)


def test_a_job_is_read_as_it_was_written() -> None:
    job = read_job(json.dumps(job_of(task(), 3, 200, "http://127.0.0.1:1/v1")))
    assert (job.seed, job.n_calls, job.instruction, job.labels) == (3, 200, "Answer yes or no.", ("no", "yes"))
    assert (job.n_train, sorted(one.id for one in job.train)) == (40, sorted(one.id for one in task().train))
    assert job.test == task().test


def test_every_seed_draws_its_own_order_of_the_training_items() -> None:
    orders = [str(job_of(task(), seed, 200, "")["train"]) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    ("asked", "labels", "reply", "value"),
    [
        (item("a", "yes"), (), "Yes.", 1.0),
        (item("a", "yes"), (), "It is yes", 0.0),
        (item("a", "yes"), ("yes", "no"), "It is yes", 1.0),
        (item("a", "yes"), ("yes", "no"), "It is yes or no", 0.0),
        (item("a", "B", scorer="choice", labels=("A", "B"), choices=("x", "y")), (), "B. y", 1.0),
    ],
)
def test_a_reply_need_only_name_the_label_where_there_are_labels(
    asked: DatasetItem, labels: tuple[str, ...], reply: str, value: float
) -> None:
    assert score_reply(asked, reply, labels).value == value


def test_replies_become_digits_in_the_order_of_the_test() -> None:
    assert digits(task(), ["Yes", "maybe"]) == "10"


def test_differences_are_means_over_the_seeds_that_both_have() -> None:
    rows = [row("NeuroForge", "11", seed=0), row("NeuroForge", "10", seed=1), row("NeuroForge", "11", seed=2)]
    rows += [row("GEPA", "00", seed=0), row("GEPA", "01", seed=1)]
    assert paired(rows, "NeuroForge", "GEPA")["t"].tolist() == [1.0, 0.0]


def test_an_interval_is_around_the_mean_over_tasks() -> None:
    mean, low, high = interval([np.array([1.0, 0.0] * 100), np.zeros(200)])
    assert mean == 0.25
    assert 0.21 < low < 0.22  # standard error .5 / 200 ** .5 / 2 = .0177
    assert 0.28 < high < 0.29


def test_the_first_three_must_be_left_behind_for_sure_and_peers_on_average() -> None:
    rows = [row("NeuroForge", "1100"), row("random search", "1010"), row("GEPA", "1000")]
    held = {one.name.strip(): one.holds for one in figures_of(rows) if one.target}
    assert held == {"95 % interval, lower end": False, "NeuroForge less GEPA, mean of 1 tasks": True}


def test_the_seed_by_replies_is_told_and_not_compared() -> None:
    rows = [row(method, "10") for method in ("NeuroForge", replied("seed prompt"))]
    names = [one.name for one in figures_of(rows)]
    assert f"{replied('seed prompt')}: mean test score, 1 tasks, 1 runs" in names
    assert not [one for one in names if "less" in one]
