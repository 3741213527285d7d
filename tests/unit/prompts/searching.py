"""Searches on a made-up task whose best program is known."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionSettings, Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.space import PromptSpace, build_space

SEED = PromptProgram(instruction="Do it.")
BEST_CUE = "Think step by step."
Truth = Callable[[PromptProgram], float]


def items(n: int = 60) -> list[DatasetItem]:
    return [
        DatasetItem(id=f"i{k}", dataset="d", query=f"q{k}", scorer="exact", references=(f"a{k}",)) for k in range(n)
    ]


def pool(n: int = 12) -> tuple[Demonstration, ...]:
    return tuple(Demonstration(question=f"p{k}", answer=f"a{k % 3}", item_id=f"p{k}") for k in range(n))


def space(max_demonstrations: int = 8) -> PromptSpace:
    return build_space(SEED, items(), max_demonstrations)


def quality(program: PromptProgram) -> float:
    """.3, and more for a reasoning cue, for each of up to four examples, and for XML."""
    found = 0.3 + 0.05 * min(4, len(program.demonstrations))
    found += 0.2 if program.reasoning_cue == BEST_CUE else 0.0
    return found + (0.1 if program.style.delimiter == "xml" else 0.0)


def evaluate(trial: Trial, truth: Truth = quality) -> Evaluation:
    """Right or wrong with the program's true quality; the same items are hard for all."""
    scores = []
    for item in trial.item_ids:
        difficulty = np.random.default_rng(abs(hash_of(item))).random()
        scores.append(float(difficulty < truth(trial.candidate.program)))
    return Evaluation(
        candidate_id=trial.candidate.id,
        block=trial.block,
        item_ids=trial.item_ids,
        scores=tuple(scores),
        fitness=tuple(scores),
        n_calls=len(trial.item_ids),
        n_prompt_tokens=len(trial.item_ids) * (10 + 5 * len(trial.candidate.program.demonstrations)),
        n_completion_tokens=len(trial.item_ids),
        latency_s=0.1,
    )


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode(), "big") % 2**32


def engine(n_items: int = 60, block: int = 10, **settings: Any) -> PromptEvolutionEngine:
    ids = [item.id for item in items(n_items)]
    blocks = [tuple(ids[start : start + block]) for start in range(0, n_items, block)]
    return PromptEvolutionEngine.begin(EvolutionSettings(**settings), space(), blocks, SEED, pool())


def run(
    one: PromptEvolutionEngine,
    truth: Truth = quality,
    order: Callable[[Sequence[Trial]], Sequence[Trial]] = tuple,
    n_steps: int | None = None,
) -> PromptEvolutionEngine:
    """Answer everything that is asked, until the search is over or so many answers were given."""
    n_told = 0
    while (trials := one.ask().trials) and (n_steps is None or n_told < n_steps):
        for trial in order(trials):
            one.tell(evaluate(trial, truth))
            n_told += 1
            if n_steps is not None and n_told >= n_steps:
                break
    return one


def shuffled(seed: int) -> Callable[[Sequence[Trial]], Sequence[Trial]]:
    rng = random.Random(seed)
    return lambda trials: rng.sample(list(trials), len(trials))
