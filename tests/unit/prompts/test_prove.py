"""The one look at the test items, and what is told of it."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.datasets.split import make_splits
from neuroforge.errors import ContextLengthExceeded
from neuroforge.prompts.directory import EVALUATIONS, REPORT
from neuroforge.prompts.prepare import SPLITS, prepare
from neuroforge.prompts.prove import final_program, select_winner
from tests.unit.prompts.fakes import FakeModels
from tests.unit.prompts.test_pipeline import Tutor, config, core, items


@dataclass
class Overfull(Tutor):
    """Does not take some questions with a prompt that is longer than the seed."""

    refused: tuple[str, ...] = ()

    async def chat(self, messages: Any, model: str, **options: Any) -> Any:
        text = "\n".join(one["content"] for one in messages)
        if "step by step" in text and text.rpartition("q")[2].split()[0] in self.refused:
            raise ContextLengthExceeded("too long")
        return await super().chat(messages, model, **options)


async def test_test_items_that_the_winner_does_not_answer_count_against_it_and_are_told(tmp_path: Path) -> None:
    wanted = config()
    test = make_splits(items(), dict(zip(SPLITS, wanted.split, strict=True)), wanted.seed)["test"]
    models = Overfull(refused=tuple(item.query.removeprefix("q") for item in test[:3]))

    found = await core(models).optimize_prompt(wanted, items(), tmp_path)

    assert found.improvement is not None
    assert found.improvement.n == 30
    assert found.scores["optimized"] == pytest.approx(0.9)
    assert found.warnings == (
        "3 of 30 test items count as 0 for the winner, since it has no score on them and the seed has; most often: "
        "call failed: context_length_exceeded",
    )


def told_by_example(prompt: str) -> str:
    """Answers as an example does that has a word of the question: of nothing else."""
    if not (named := re.findall(r"w\d+-\d+", prompt)):
        return "neither"  # asked for something else
    word = named[-1].partition("-")[0]
    found = re.findall(rf"{word}-\d+\W.*?(odd|even)", prompt.rpartition(named[-1])[0], re.DOTALL)
    return found[-1] if found else "neither"


async def test_what_chooses_its_examples_is_proven_and_served_with_all_of_them(tmp_path: Path) -> None:
    asked = [
        DatasetItem(
            id=f"i{k}", dataset="d", query=f"w{k % 30}-{k}", scorer="exact",
            references=(("even", "odd")[k % 2],), max_tokens=8,
        )
        for k in range(120)
    ]  # fmt: skip
    models = FakeModels(answer=told_by_example)

    found = await core(models).optimize_prompt(config(), asked, tmp_path)

    assert found.is_promoted
    assert found.optimized == found.tested
    assert found.optimized.n_nearest is not None
    assert {one.item_id for one in found.optimized.demonstrations} == {item.id for item in asked}
    assert {one.item_id for one in found.lineage[0].program.demonstrations} < {item.id for item in asked}
    for one in models.asked:
        *shown, last = re.findall(r"w\d+-\d+", str(one["messages"])) or ["none"]
        assert last not in shown
    assert len(found.warnings) == 1, "that the seed answered with no label: none that items show themselves"
    rows = pq.read_table(tmp_path / EVALUATIONS).to_pylist()
    tested = [one["score"] for one in rows if (one["split"], one["candidate_id"]) == ("test", found.lineage[0].id)]
    assert (len(tested), sum(tested) / 30) == (30, pytest.approx(found.scores["optimized"]))
    assert found.assessments["winner"].score == pytest.approx(found.scores["optimized"])
    assert f"of {len(asked)} nearest to the question" in (tmp_path / REPORT).read_text()


@dataclass(frozen=True)
class Judged:
    """A search and its evaluator, of which only the verdicts matter: best first, and who is likely better than s."""

    order: str
    better: str

    @property
    def state(self) -> Any:
        known = {one: SimpleNamespace(id=one, program=one) for one in "sab"}
        return SimpleNamespace(candidates=tuple(known.values()), candidate=known.__getitem__)

    def ranking(self) -> Any:
        return self.state.candidates[1:]

    def rank(self, fresh: Any) -> str:
        assert set(fresh) == set("sab"), "all were asked"
        return self.order

    def is_likely_better(self, one: str, other: str, _fresh: Any, _least: float) -> bool:
        assert other == "s"
        return one in self.better

    async def results_of(self, _program: str, _ids: Any) -> tuple[()]:
        return ()


@pytest.mark.parametrize(
    ("order", "better", "winner"),
    [("abs", "ab", "a"), ("abs", "b", "b"), ("sab", "b", "b"), ("abs", "", "s"), ("sab", "", "s")],
)
async def test_the_seed_gives_way_to_the_first_that_the_tasks_items_call_better(
    order: str, better: str, winner: str
) -> None:
    """What is believed beforehand puts them in order; it neither keeps the seed nor replaces it."""
    judged: Any = Judged(order, better)

    assert (await select_winner(judged, judged, prepare(config(), items()))).id == winner


@pytest.mark.parametrize(("n_pooled", "n_shown"), [(10, 13), (198, 200), (200, 200)])
def test_a_pool_holds_two_hundred_examples_at_most(n_pooled: int, n_shown: int) -> None:
    pool = tuple(Demonstration(question=f"q{k}", answer="a") for k in range(n_pooled))
    fresh = tuple(Demonstration(question=f"fresh {k}", answer="a") for k in range(3))
    prepared = replace(prepare(config(), items()), fresh=fresh)
    chooses = PromptProgram(demonstrations=pool, n_nearest=2)

    assert len(final_program(chooses, prepared).demonstrations) == n_shown
    assert final_program(PromptProgram(demonstrations=pool), prepared).demonstrations == pool
    own = tuple(Demonstration(**{**dict(one), "is_bootstrapped": True}) for one in pool)
    with_steps = PromptProgram(demonstrations=own, n_nearest=2)
    assert final_program(with_steps, prepared) == with_steps
    assert final_program(chooses, replace(prepared, seed=chooses)) == chooses, "the pool is the user's own"


async def test_one_question_in_other_words_is_one_piece_of_evidence(tmp_path: Path) -> None:
    """Every question stands there ten times in other words: 12 families, 3 of which are the test's."""
    alike = [DatasetItem(**{**dict(one), "paraphrase_of": f"p{place % 12}"}) for place, one in enumerate(items())]

    found = await core(Tutor()).optimize_prompt(config(), alike, tmp_path)

    assert found.p_value is not None
    assert found.p_value >= 1 / 8, "three signs at best"
    assert not found.is_promoted


async def test_each_test_of_a_prompt_on_the_same_items_must_pass_more(tmp_path: Path) -> None:
    runs = [
        await core(Tutor(), attempts=tmp_path / "attempts.jsonl").optimize_prompt(
            config(seed=seed), items(), tmp_path / f"{seed}"
        )
        for seed in range(3)
    ]

    assert [(one.n_tests, one.alpha) for one in runs] == [
        (1, pytest.approx(0.05 / 2)), (2, pytest.approx(0.05 / 6)), (3, pytest.approx(0.05 / 12)),
    ]  # fmt: skip
    told = runs[2].warnings[-1]
    assert told.startswith("this is test 3 of this prompt on some of these test items: it must pass at 0.00417")
    assert told in runs[2].plan.notes, "beforehand"
    assert runs[0].warnings == ()


async def test_a_run_that_goes_on_makes_the_same_test_again(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts.jsonl"
    for _ in range(2):
        found = await core(Tutor(), attempts=attempts).optimize_prompt(config(), items(), tmp_path / "run")

    assert (found.n_tests, len(attempts.read_text().splitlines())) == (1, 1)


async def test_a_seed_that_stays_without_a_test_uses_nothing_up(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts.jsonl"
    models = FakeModels(answer=lambda _prompt: "no")

    found = await core(models, attempts=attempts).optimize_prompt(config(), items(), tmp_path / "run")

    assert (found.n_tests, found.alpha, attempts.exists()) == (0, None, False)
