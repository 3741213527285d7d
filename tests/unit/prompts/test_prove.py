"""The one look at the test items, and what is told of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.datasets.split import make_splits
from neuroforge.errors import ContextLengthExceeded
from neuroforge.prompts.prepare import SPLITS
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
