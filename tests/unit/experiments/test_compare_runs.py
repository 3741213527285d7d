from pathlib import Path

import pytest

from neuroforge.contracts.experiments import ExperimentConfig, PromptTemplate
from neuroforge.errors import RequestError
from neuroforge.experiments.compare_runs import compare_runs
from tests.unit.experiments.run_fakes import Bench, FakeCaller, FakeHosted, config, item, items, status


async def run(home: Path, name: str, right: bool, asked: ExperimentConfig, n: int = 12) -> Path:
    caller = FakeCaller(lambda request: "yes" if right or request.cell.item_id in {"q0", "q1"} else "no")
    bench = Bench(home, caller, FakeHosted(status("a"), status("b")))
    return Path((await bench.run(asked, items(n), name)).cells).parent


async def test_what_got_worse_is_told_for_each_common_variant(tmp_path: Path) -> None:
    both, one = config("a", "b", use_cache=False), config("a", use_cache=False)
    found = compare_runs(await run(tmp_path, "exp-1", True, both), await run(tmp_path, "exp-2", False, one))
    (only,) = found.comparisons
    assert (found.a, found.b, found.n_common_items) == ("exp-1", "exp-2", 12)
    assert (only.a, only.b, only.verdict) == ("a in exp-1", "a in exp-2", "a_better")
    assert only.difference.mean == pytest.approx(10 / 12)
    assert (only.correction, found.summary) == ("holm over 1", (only.sentence,))


async def test_only_common_items_count_and_other_settings_are_noted(tmp_path: Path) -> None:
    plain, brief = PromptTemplate(name="p"), PromptTemplate(name="p", template="{{ query }} Be brief.")
    first = await run(tmp_path, "exp-1", True, config("a", prompts=(plain,)), n=12)
    second = await run(tmp_path, "exp-2", True, config("a", prompts=(brief,)), n=5)
    found = compare_runs(first, second)
    assert (found.n_common_items, found.notes) == (5, ("the prompt 'p' had another text",))
    assert found.comparisons[0].verdict == "no_difference_shown"


async def test_an_id_that_stands_for_another_question_is_not_paired_and_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, hosted=FakeHosted(status("a")))
    changed = [item(0, query="Another?"), item(1, references=("no",)), item(2, fields={"passage": "new"})]
    retold = [item(3, fields={"task": "math"}, task="math"), *items(12)[4:]]
    first = Path((await bench.run(config("a"), items(12), "exp-1")).cells).parent
    second = Path((await bench.run(config("a"), [*changed, *retold], "exp-2")).cells).parent
    found = compare_runs(first, second)
    note = "not compared, since the same id stands for another content: 3 of the items"
    assert (found.n_common_items, found.notes) == (9, (note,))
    only_changed = Path((await bench.run(config("a"), changed, "exp-3")).cells).parent
    with pytest.raises(RequestError, match=r"0 items in common \(not compared, .* 3 of the items\)"):
        compare_runs(first, only_changed)


async def test_without_anything_in_common_both_are_named(tmp_path: Path) -> None:
    first = await run(tmp_path, "exp-1", True, config("a"))
    with pytest.raises(RequestError, match="exp-1 has a and exp-2 has b"):
        compare_runs(first, await run(tmp_path, "exp-2", True, config("b")))
    bench = Bench(tmp_path, hosted=FakeHosted(status("a")))
    other = await bench.run(config("a"), [item(number) for number in (90, 91)], "exp-3")
    with pytest.raises(RequestError, match="0 items in common"):
        compare_runs(first, Path(other.cells).parent)
