"""The field's own methods: seed, best of the instruction bank, random search, the optimiser; 200 calls each.

A method sees the training items only. A call counts as made whether or not an earlier run of the field asked the same.
"""

import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.contracts.scores import Score
from neuroforge.prompts.ask import ItemResult, TargetModels
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.pipeline import PromptEngineeringCore
from neuroforge.prompts.plan import Contestants
from neuroforge.prompts.prepare import labels_of
from neuroforge.prompts.program import program_of_text
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.slots import COUNT, NEAREST
from neuroforge.prompts.space import PromptSpace, build_space
from neuroforge.prompts.ways import Ways
from tests.benchmarks.prompt_model import LocalModel
from tests.benchmarks.prompt_tasks import PromptTask

N_CALLS = 200
MAX_DEMONSTRATIONS = 8
N_RANDOM_ITEMS = 8
"""Items on which random search tries each of its programs: 25 programs."""
SPLIT = (0.7, 0.13, 0.17)
"""Of the 60 training items: 42 to search, 8 to select, 10 for the run's own proof, which takes 20 of the 200 calls."""
N_PROOF_CALLS = 20

ScoreReply = Callable[[DatasetItem, str], Awaitable[Score]]


@dataclass
class Found:
    """What a run came to, and what it took."""

    program: PromptProgram
    n_calls: int = 0
    n_prompt_tokens: int = 0
    n_proposer_calls: int = 0
    n_proposer_tokens: int = 0

    def count(self, results: Sequence[ItemResult]) -> None:
        """Add metric calls."""
        self.n_calls += sum(one.n_calls for one in results)
        self.n_prompt_tokens += sum(one.n_prompt_tokens for one in results)


@dataclass(frozen=True)
class Bench:
    """What methods work with."""

    task: PromptTask
    model: LocalModel
    score: ScoreReply
    evaluator: Evaluator
    """Over all items of the task; its log outlives the run."""
    directory: Path

    @property
    def seed_program(self) -> PromptProgram:
        """What the task's prompt says."""
        return program_of_text(self.task.prompt)

    @property
    def space(self) -> PromptSpace:
        """The space that the optimiser searches."""
        labels = labels_of(self.task.train)
        ways = Ways(labels, is_by_labels=bool(labels))
        return build_space(self.seed_program, self.task.train, MAX_DEMONSTRATIONS, self.examples, ways)

    @property
    def examples(self) -> tuple[Demonstration, ...]:
        """The training items as what a prompt may show."""
        return tuple(
            Demonstration(question=one.query, answer=one.references[0], item_id=one.id) for one in self.task.train
        )


Method = Callable[[Bench, int], Awaitable[Found]]


async def keep_seed(bench: Bench, _seed: int) -> Found:
    """Search nothing."""
    return Found(bench.seed_program)


async def best_of_bank(bench: Bench, seed: int) -> Found:
    """Try each of the bank's instructions on as many items as the calls allow."""
    instructions = bench.space.slot("instruction").choices
    programs = [bench.space.write(bench.seed_program, {"instruction": one}) for one in instructions]
    return await _best(bench, programs, N_CALLS // len(programs), seed)


async def search_randomly(bench: Bench, seed: int) -> Found:
    """Draw every slot and the examples evenly from the optimiser's own space; the seed is the first program."""
    rng = np.random.default_rng(seed)
    drawn = [_draw(bench, rng) for _ in range(N_CALLS // N_RANDOM_ITEMS - 1)]
    return await _best(bench, [bench.seed_program, *drawn], N_RANDOM_ITEMS, seed)


async def optimise(bench: Bench, seed: int) -> Found:
    """Run the optimiser as a user would; its winner, whether or not ten items could prove it."""
    config = OptimizeConfig(
        name=bench.task.name,
        prompt=bench.task.prompt,
        budget=Budget(max_calls=N_CALLS - N_PROOF_CALLS),
        split=SPLIT,
        max_demonstrations=MAX_DEMONSTRATIONS,
        proposers=(),
        seed=seed,
        concurrency=1,
    )
    counting = Counting(bench.model)
    directory = bench.directory / f"{bench.task.name}-{seed}"
    shutil.rmtree(directory, ignore_errors=True)  # of a run that was broken off: its calls would not be counted
    core = PromptEngineeringCore(
        counting, bench.score, Contestants(bench.model.target, 1, (bench.model.target.model_id,))
    )
    result = await core.optimize_prompt(config, bench.task.train, directory)
    with closing(ResultLog(directory / RESULTS, time.monotonic)) as log:
        measured = log.spent
    return Found(
        result.winner,
        measured.n_calls,
        measured.n_prompt_tokens,
        n_proposer_calls=counting.n_calls - measured.n_calls,
        n_proposer_tokens=counting.n_prompt_tokens - measured.n_prompt_tokens,
    )


METHODS: dict[str, Method] = {
    "seed prompt": keep_seed,
    "best of the bank": best_of_bank,
    "random search": search_randomly,
    "NeuroForge": optimise,
}


@dataclass
class Counting:
    """`TargetModels` that counts what it hands on."""

    models: TargetModels
    n_calls: int = 0
    n_prompt_tokens: int = 0

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """As it is."""
        return self._counted(await self.models.chat(messages, model, **options))

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        """As it is."""
        return self._counted(await self.models.completion(prompt, model, **options))

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """As it is."""
        found = await self.models.label_logprobs(prompt, labels, model)
        self.n_calls += 1
        self.n_prompt_tokens += found.n_prompt_tokens
        return found

    def _counted(self, body: JsonObject) -> JsonObject:
        self.n_calls += 1
        self.n_prompt_tokens += int(body["usage"]["prompt_tokens"])
        return body


async def _best(bench: Bench, programs: Sequence[PromptProgram], n_items: int, seed: int) -> Found:
    """The program with the highest mean fitness on the same items; of equal ones the first."""
    order = np.random.default_rng(seed).permutation(len(bench.task.train))[:n_items]
    ids = [bench.task.train[int(place)].id for place in order]
    found, means = Found(bench.seed_program), []
    for program in programs:
        results = await bench.evaluator.results_of(program, ids)
        found.count(results)
        means.append(float(np.mean([one.fitness or 0.0 for one in results])))
    found.program = programs[int(np.argmax(means))]
    return found


def _draw(bench: Bench, rng: np.random.Generator) -> PromptProgram:
    values = {slot.name: slot.choices[int(rng.integers(len(slot.choices)))] for slot in bench.space.slots}
    shown = [bench.examples[int(place)] for place in rng.permutation(len(bench.examples))[: values[COUNT]]]
    program = bench.space.write(bench.seed_program, values)
    if values[NEAREST] is not None:
        return program
    return PromptProgram(**{**dict(program), "demonstrations": tuple(shown)})
