"""Structure search where the truth is planted: what it finds against other searches, and whether intervals hold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuroforge.contracts.prompts import Evaluation, PromptProgram
from neuroforge.prompts.assess import PromptQualityAssessor
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.evolution_state import Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.structure_engine import StructureEngine
from neuroforge.statistics.pairs import mcnemar_p_value
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.unit.prompts.searching import (
    BEST_CUE,
    SEED,
    Truth,
    engine,
    evaluate,
    quality_of_parts,
    rows_of,
    search_at_random,
    space,
    structure_engine,
    structures,
)

N_SEEDS = 24
N_ITEMS = 150
MAX_CALLS = 500
N_EARLIER = 3
"""Earlier tasks of a search that begins warm."""
SHORT_CALLS = 250
BEST = 0.79
"""Below the planted structure's true quality, above every other's."""
N_ASSESSED = 60


@dataclass(frozen=True)
class Landscape:
    """A truth, and whether each program finds other items hard."""

    name: str
    truth: Truth
    is_rugged: bool = False

    def answer(self, trial: Trial) -> Evaluation:
        return evaluate(trial, self.truth, self.is_rugged)


def quality_of_pair(program: PromptProgram) -> float:
    """.3, .1 for a cue, and .4 more only if XML and the system message come together: one slot alone shows nothing."""
    values = space().read(program)
    is_pair = values["delimiter"] == "xml" and values["placement"] == "system"
    return 0.3 + 0.1 * float(values["reasoning_cue"] == BEST_CUE) + 0.4 * float(is_pair)


LANDSCAPES = (
    Landscape("five parts", quality_of_parts),
    Landscape("five parts, each program finds other items hard", quality_of_parts, is_rugged=True),
    Landscape("a pair and a part", quality_of_pair),
)


def run() -> list[Figure]:
    """Run all."""
    found: list[Figure] = []
    for landscape in LANDSCAPES:
        found += _compare(landscape)
    return [*found, *_attribution(), *_warm(), *_assessed()]


def _compare(landscape: Landscape) -> list[Figure]:
    methods: dict[str, Callable[[int], PromptProgram]] = {
        "random search": lambda seed: search_at_random(MAX_CALLS, seed, landscape.truth, is_rugged=landscape.is_rugged),
        "evolution": lambda seed: _winner(engine(N_ITEMS, max_calls=MAX_CALLS, seed=seed), landscape),
        "nas": lambda seed: _winner(_search(seed), landscape),
        "nas_evolution": lambda seed: _winner(_search(seed, strategy="regularized_evolution"), landscape),
    }
    quality = {
        name: np.array([landscape.truth(find(seed)) for seed in range(N_SEEDS)]) for name, find in methods.items()
    }
    found = [
        Figure(f"{landscape.name}: {name}, true quality of what was found", float(ones.mean()), "0..1")
        for name, ones in quality.items()
    ]
    found += [
        Figure(f"{landscape.name}: {name}, planted structure found", float((ones > BEST).mean()), "share of runs")
        for name, ones in quality.items()
    ]
    for name in ("nas", "nas_evolution"):
        n_won = int(((quality[name] > BEST) & (quality["random search"] < BEST)).sum())
        n_lost = int(((quality[name] < BEST) & (quality["random search"] > BEST)).sum())
        p_value = mcnemar_p_value(n_won, n_lost) if n_won > n_lost else 1.0
        found.append(at_most(f"{landscape.name}: {name} finds it no more often than random search", p_value, "p", 0.05))
    return found


def _attribution() -> list[Figure]:
    """Whether intervals of effects hold what was planted, and the planted slots have the largest shares."""
    held, n_right = [], 0
    planted = {"reasoning_cue": BEST_CUE, "delimiter": "xml", "answer_cue": "Answer:", "placement": "system"}
    for seed in range(N_SEEDS):
        one = _search(seed, strategy="regularized_evolution")
        winner = _run(one, LANDSCAPES[0])
        slots = one.template("text", winner.ranking()[0]).slots
        n_right += {slot.slot for slot in slots[:5]} == {*planted, "n_demonstrations"}
        for slot in slots:
            for choice in slot.choices[1:]:
                is_planted = (
                    int(choice.value) >= 4
                    if slot.slot == "n_demonstrations"
                    else planted.get(slot.slot) == choice.value
                )
                held.append(choice.effect.low <= 0.1 * is_planted <= choice.effect.high)
    return [
        at_least(
            "attribution: 95 % intervals of effects that hold the planted one", float(np.mean(held)), "share", 0.9
        ),
        Figure("attribution: runs in which the five planted slots have the largest shares", n_right / N_SEEDS, "share"),
    ]


def _warm() -> list[Figure]:
    """What a short search finds with and without earlier tasks of its kind, whose items are others."""
    cold: list[float] = []
    warm: list[float] = []
    for seed in range(N_SEEDS):
        rows: list[EvaluatedProgram] = []
        for task in range(N_EARLIER):
            earlier = _search(1_000 * (task + 1) + seed, strategy="regularized_evolution")
            rows += rows_of(_run(earlier, LANDSCAPES[1]), f"t{task}")
        for found, known in ((cold, ()), (warm, rows)):
            one = structure_engine(
                N_ITEMS, earlier=known, max_calls=SHORT_CALLS, strategy="regularized_evolution", seed=seed
            )
            found.append(quality_of_parts(_winner(one, LANDSCAPES[1])))
    difference = np.array(warm) - np.array(cold)
    error = float(difference.std(ddof=1) / len(difference) ** 0.5)
    return [
        Figure(f"{SHORT_CALLS} calls, nothing known: true quality", float(np.mean(cold)), "0..1"),
        Figure(f"{SHORT_CALLS} calls after {N_EARLIER} earlier tasks: true quality", float(np.mean(warm)), "0..1"),
        at_least(
            "gain by earlier tasks, lower end of its 95 % interval", float(difference.mean()) - 2.07 * error, "0..1", 0
        ),
    ]


def _assessed() -> list[Figure]:
    """How often intervals of predicted scores hold what a new run measures."""
    rng, held, stated = np.random.default_rng(0), [], []
    for _ in range(N_ASSESSED):
        rows = [row for run_id in range(12) for row in _measured_run(f"r{run_id}", rng)]
        new = _measured_run("new", rng)
        row = new[int(rng.integers(len(new)))]
        found = PromptQualityAssessor("text", rows).score(row.program)
        held.append((found.low or 0.0) <= (row.score or 0.0) <= (found.high or 0.0))
        stated.append(found.coverage or 0.0)
    return [
        Figure("assessor: coverage that is stated", float(np.mean(stated)), "share"),
        at_least("assessor: intervals that hold what a new run measures", float(np.mean(held)), "share", 0.82),
    ]


def _measured_run(run_id: str, rng: np.random.Generator) -> list[EvaluatedProgram]:
    """A seed and eight random structures on 20 items; tasks are harder or easier by .1."""
    task = 0.1 * float(rng.standard_normal())
    rows = []
    for program in (SEED, *(structures().decode(codes) for codes in structures().draw(8, rng))):
        score = rng.binomial(20, float(np.clip(quality_of_parts(program) + task, 0, 1))) / 20
        rows.append(EvaluatedProgram(run_id, "text", program, 0, score, score, 20))
    return rows


def _search(seed: int, strategy: str = "tpe") -> StructureEngine:
    return structure_engine(N_ITEMS, max_calls=MAX_CALLS, strategy=strategy, seed=seed)


def _run(one: PromptEvolutionEngine, landscape: Landscape) -> PromptEvolutionEngine:
    while trials := one.ask().trials:
        for trial in trials:
            one.tell(landscape.answer(trial))
    return one


def _winner(one: PromptEvolutionEngine, landscape: Landscape) -> PromptProgram:
    return _run(one, landscape).ranking()[0].program
