"""What a run learns from those before it, and what it must not."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.datasets.split import make_splits
from neuroforge.prompts.directory import EVALUATIONS
from neuroforge.prompts.earlier import read_earlier
from neuroforge.prompts.prepare import SPLITS
from neuroforge.prompts.program import program_of_text
from tests.unit.prompts.test_pipeline import SEED, Tutor, config, core, items, optimized


def split(seed: int, name: str) -> tuple[DatasetItem, ...]:
    return make_splits(items(), dict(zip(SPLITS, config().split, strict=True)), seed)[name]


def renamed(item: DatasetItem) -> DatasetItem:
    return DatasetItem(**{**dict(item), "id": f"other {item.id}", "query": f" {item.query.upper()}"})


@pytest.mark.parametrize("keeps_fingerprints", [True, False])
async def test_nothing_is_learned_of_items_that_will_be_tested(tmp_path: Path, keeps_fingerprints: bool) -> None:
    await optimized(tmp_path / "first")
    path = tmp_path / "first" / EVALUATIONS
    test = split(1, "test")
    ids = {one.id for one in test}
    if keeps_fingerprints:
        test = tuple(renamed(one) for one in test)
    else:
        pq.write_table(pq.read_table(path).drop_columns(["fingerprint"]), path)
    told = [one for one in pq.read_table(path).to_pylist() if one["split"] == "search"]
    n_fresh = sum(one["fitness"] is not None and one["item_id"] not in ids for one in told)

    found = read_earlier(tmp_path / "second", test)

    assert sum(one.n_items for one in found.rows) == n_fresh
    assert 0 < n_fresh < len(told)
    assert found.warnings == ("earlier runs (1) searched on items of this run's test: those are not learned from",)


async def test_the_items_own_scores_do_not_reach_the_mean(tmp_path: Path) -> None:
    """Answers to odd questions are right without any cue: without the even ones the seed's mean is 1."""
    await optimized(tmp_path / "first")
    even = [one for one in items() if int(one.id[1:]) % 2 == 0]

    def seeds(test: list[DatasetItem]) -> set[bool]:
        rows = read_earlier(tmp_path / "second", test).rows
        return {one.fitness == 1.0 for one in rows if one.program == program_of_text(SEED)}

    assert seeds(even) == {True}
    assert seeds([]) == {False}


async def test_a_run_with_other_items_learns_all(tmp_path: Path) -> None:
    await optimized(tmp_path / "first")
    others = [DatasetItem(**{**dict(one), "query": f"other {one.query}", "id": f"o{one.id}"}) for one in items()]

    assert read_earlier(tmp_path / "second", others) == read_earlier(tmp_path / "second")
    assert read_earlier(tmp_path / "second", others).warnings == ()


async def test_a_run_is_told_what_it_did_not_learn(tmp_path: Path) -> None:
    await optimized(tmp_path / "first", config(strategy="nas"))

    found = await core(Tutor()).optimize_prompt(config(strategy="nas", seed=1), items(), tmp_path / "second")

    assert any("searched on items of this run's test" in one for one in found.warnings)
