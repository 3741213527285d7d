from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.datasets.sample import interleave, sample_stratified
from tests.unit.datasets.fakes import item


def items(**n_by_task: int) -> list[DatasetItem]:
    return [item(number, id=f"{task}{number}", task=task) for task, n in n_by_task.items() for number in range(n)]


def test_each_kind_of_task_gets_its_share() -> None:
    sample = sample_stratified(items(math=60, code=30, chat=10), 10, seed=0)
    assert Counter(one.task for one in sample) == {"math": 6, "code": 3, "chat": 1}


def test_a_rare_kind_is_represented() -> None:
    sample = sample_stratified(items(math=997, code=3), 10, seed=0)
    assert Counter(one.task for one in sample) == {"math": 9, "code": 1}


def test_the_order_of_the_file_does_not_matter() -> None:
    everything = items(math=50, code=50)
    assert sample_stratified(everything, 10, seed=1) == sample_stratified(everything[::-1], 10, seed=1)


def test_another_seed_draws_others() -> None:
    everything = items(math=100)
    assert set(sample_stratified(everything, 10, seed=1)) != set(sample_stratified(everything, 10, seed=2))


def test_a_larger_sample_of_one_kind_holds_the_smaller() -> None:
    everything = items(math=100)
    assert set(sample_stratified(everything, 10, seed=1)) <= set(sample_stratified(everything, 20, seed=1))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(1, 200))
def test_the_sample_has_the_wanted_size_or_is_all(sizes: list[int], n: int) -> None:
    everything = items(**{f"t{index}": size for index, size in enumerate(sizes)})
    sample = sample_stratified(everything, n, seed=0)
    assert len(sample) == len(set(sample)) == min(n, len(everything))


def test_every_beginning_holds_each_group_in_proportion() -> None:
    groups = [items(math=60), items(code=20)]
    beginning = interleave(groups, seed=0)[:8]
    assert Counter(one.task for one in beginning) == {"math": 6, "code": 2}
