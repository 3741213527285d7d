"""Searches on a made-up task whose best program is known."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.evolution_state import EvolutionSettings, Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import PromptSpace, build_space
from neuroforge.prompts.structure_engine import StructureEngine
from neuroforge.prompts.structure_state import StructureSettings
from neuroforge.prompts.structures import StructureSpace, structures_of

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


PARTS: dict[str, Any] = {"reasoning_cue": BEST_CUE, "delimiter": "xml", "answer_cue": "Answer:", "placement": "system"}


def quality_of_parts(program: PromptProgram) -> float:
    """.3, and .1 for each of five parts: one structure in 350 has all."""
    values = space().read(program)
    return 0.3 + 0.1 * (sum(values[name] == one for name, one in PARTS.items()) + (values["n_demonstrations"] >= 4))


def evaluate(trial: Trial, truth: Truth = quality, is_rugged: bool = False) -> Evaluation:
    """Right or wrong with the program's true quality; the same items are hard for all, or for each program others."""
    scores = []
    for item in trial.item_ids:
        difficulty = np.random.default_rng(hash_of(f"{trial.candidate.id if is_rugged else ''}{item}")).random()
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
    return int.from_bytes(text.encode(), "big") % (2**61 - 1)


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


def structure_engine(
    n_items: int = 60, block: int = 10, earlier: Sequence[EvaluatedProgram] = (), **settings: Any
) -> StructureEngine:
    ids = [item.id for item in items(n_items)]
    blocks = [tuple(ids[start : start + block]) for start in range(0, n_items, block)]
    return StructureEngine.begin(StructureSettings(**settings), space(), blocks, SEED, pool(), (), earlier)


def structures(max_demonstrations: int = 8) -> StructureSpace:
    return structures_of(space(max_demonstrations), SEED, pool(), (), np.random.default_rng(0))


def search_at_random(
    max_calls: int, seed: int, truth: Truth, n_seen: int = 10, is_rugged: bool = False
) -> PromptProgram:
    """The best of random structures, each on the same items: as many as the calls pay for."""
    rng = np.random.default_rng(seed)
    ids = tuple(item.id for item in items(n_seen))
    programs = [structures().decode(one) for one in structures().draw(max_calls // n_seen, rng)]
    candidates = [PromptCandidate(id=program_id(one), program=one, operator="x") for one in programs]
    told = [evaluate(Trial(one, 0, ids), truth, is_rugged) for one in candidates]
    return programs[int(np.argmax([sum(score or 0.0 for score in one.scores) for one in told]))]


def rows_of(one: PromptEvolutionEngine, run_id: str) -> list[EvaluatedProgram]:
    """What a later run would read of it."""
    return [
        EvaluatedProgram(
            run=run_id,
            kind="text",
            program=one.state.candidate(told.candidate_id).program,
            block=told.block,
            fitness=sum(one or 0.0 for one in told.fitness) / len(told.fitness),
            score=None,
            n_items=len(told.fitness),
        )
        for told in one.state.evaluations
    ]
