"""How often a prompt is promoted that is no better than the seed: whole runs on a model that does not read.

What an item comes to is drawn from the item, its passage and the prompt, by hashes, and has the same distribution for
every prompt: whatever the search picks is luck. The promotion test must not take it for more, nor five of them in a row
that another seed begins each time.
"""

import asyncio
import hashlib
import logging
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import Target
from neuroforge.prompts.attempts import attempts_of
from neuroforge.prompts.pipeline import PromptEngineeringCore
from neuroforge.prompts.plan import Contestants
from tests.benchmarks.figures import Figure, at_most

N_RUNS = 170
"""A shape; six shapes make 1,020 runs."""
N_FAMILIES, N_REPEATS = 40, 5
"""A shape, and runs of one prompt on the same items: 1,200 more."""
ALPHA = 0.05
_PLACE = re.compile(r"item (\d+)")


@dataclass(frozen=True)
class Shape:
    """Items as a user may bring them."""

    name: str
    n_items: int
    is_graded: bool = False
    group_size: int = 1
    group_share: float = 0.0
    """Of the variance of what a prompt does to an item: what it does to the whole passage."""
    spread: float = 1.0
    """Of what a prompt does to an item, beside the items' own difficulty of 1: how often two prompts differ."""


SHAPES = (
    Shape("right or wrong, 160 items", 160),
    Shape("right or wrong, 48 items", 48),
    Shape("right or wrong, 160 items, prompts that mostly agree", 160, spread=0.3),
    Shape("graded, 160 items", 160, is_graded=True),
    Shape("graded, 48 items", 48, is_graded=True),
    Shape("right or wrong, 160 items in passages of five", 160, group_size=5, group_share=0.5),
)


@dataclass
class Blind:
    """`Models` whose answer says how well it did: a number from item, passage and prompt."""

    shape: Shape
    run: int

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """Return the latent quality as text."""
        text = "\n".join(one["content"] for one in messages)
        found = list(_PLACE.finditer(text))
        content = "nothing" if not found else repr(self._latent(int(found[-1][1]), _without(text, found[-1])))
        return {
            "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 1},
        }

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """Only asked for findings."""
        return LabelLogprobs(
            scores=tuple(LabelScore(label=one, logprob=-0.7, n_tokens=1) for one in labels), n_prompt_tokens=1
        )

    def _latent(self, item: int, prompt: str) -> float:
        passage = item // self.shape.group_size
        shared = math.sqrt(self.shape.group_share) * self._normal("passage", passage, prompt)
        own = math.sqrt(1 - self.shape.group_share) * self._normal("item", item, prompt)
        return self._normal("difficulty", item) + self.shape.spread * (shared + own)

    def _normal(self, *parts: Any) -> float:
        digest = hashlib.blake2b(repr((self.run, parts)).encode(), digest_size=16).digest()
        first, second = (int.from_bytes(half, "big") + 1 for half in (digest[:8], digest[8:]))
        return math.sqrt(-2 * math.log(first / (2**64 + 1))) * math.cos(2 * math.pi * second / 2**64)


def run() -> list[Figure]:
    """Run all shapes; see the module docstring."""
    logging.disable(logging.WARNING)
    figures, n_promoted, n_families = [], 0, 0
    for shape in SHAPES:
        found = sum(any(_promoted(shape, number, 1)) for number in range(N_RUNS))
        n_promoted += found
        figures.append(Figure(f"  {shape.name}", found / N_RUNS, "of runs"))
        n_families += sum(any(_promoted(shape, number, N_REPEATS)) for number in range(N_FAMILIES))
    total, families = N_RUNS * len(SHAPES), N_FAMILIES * len(SHAPES)
    name = "promoted, candidates no better than the seed"
    return [
        at_most(name, n_promoted / total, "of runs", ALPHA),
        *figures,
        Figure("runs", total, ""),
        at_most(f"{name}, in any of {N_REPEATS} runs", n_families / families, "of families", ALPHA),
        Figure("families", families, ""),
    ]


def _promoted(shape: Shape, number: int, n_runs: int) -> list[bool]:
    """Runs of one prompt on one set of items, in one home, each with a seed of its own."""
    with tempfile.TemporaryDirectory() as home:
        runs = (_is_promoted(shape, number, number + N_RUNS * repeat, Path(home)) for repeat in range(n_runs))
        return [asyncio.run(one) for one in runs]


async def _is_promoted(shape: Shape, number: int, seed: int, home: Path) -> bool:
    items = tuple(
        DatasetItem(
            id=f"i{one}",
            dataset="blind",
            query=f"item {one}",
            scorer="exact",
            references=("x",),
            group=f"p{one // shape.group_size}" if shape.group_size > 1 else None,
        )
        for one in range(shape.n_items)
    )

    async def score(_item: DatasetItem, reply: str) -> Score:
        latent = float(reply)
        return Score(value=1 / (1 + math.exp(-latent)) if shape.is_graded else float(latent > 0), answer=reply)

    config = OptimizeConfig(
        name="blind",
        prompt="Do it.\n\n{{ query }}",
        budget=Budget(max_calls=300),
        split=(0.4, 0.2, 0.4),
        proposers=(),
        use_logprobs=False,
        seed=seed,
    )
    core = PromptEngineeringCore(
        Blind(shape, number), score, Contestants(Target("blind"), 8, ()), attempts=attempts_of(home)
    )
    return (await core.optimize_prompt(config, items, home / f"{seed}")).is_promoted


def _without(text: str, place: re.Match[str]) -> str:
    """The prompt without its question: what names the program."""
    return text[: place.start()] + text[place.end() :]
