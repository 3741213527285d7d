"""The one look at the test items, and what is told of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroforge.datasets.split import make_splits
from neuroforge.errors import ContextLengthExceeded
from neuroforge.prompts.prepare import SPLITS
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


async def test_test_items_that_count_for_neither_are_told(tmp_path: Path) -> None:
    wanted = config()
    test = make_splits(items(), dict(zip(SPLITS, wanted.split, strict=True)), wanted.seed)["test"]
    models = Overfull(refused=tuple(item.query.removeprefix("q") for item in test[:3]))

    found = await core(models).optimize_prompt(wanted, items(), tmp_path)

    assert found.improvement is not None
    assert found.improvement.n == 27
    assert found.warnings == (
        "3 of 30 test items are left out for both prompts, since the winner has no score on 3 and the seed none on 0; "
        "most often: call failed: context_length_exceeded",
    )
