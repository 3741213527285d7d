"""The elite of a search -> what nobody beats in fitness, prompt tokens and latency at once: table and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from markupsafe import Markup

from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.contracts.rules import Estimate
from neuroforge.pages.scatter import Point, draw_scatter
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.race import estimate

N_COLOURS = 12


@dataclass(frozen=True)
class FrontRow:
    """One prompt of the elite, or the seed."""

    number: int
    candidate: PromptCandidate
    is_on_front: bool
    is_winner: bool
    is_seed: bool
    fitness: Estimate
    n_prompt_tokens: float
    """A call."""
    latency_s: float
    """A call."""

    @property
    def css(self) -> str:
        """Class of its colour."""
        return f"c{(self.number - 1) % N_COLOURS}"


def build_front(state: EvolutionState, front: Sequence[PromptCandidate], winner_id: str) -> tuple[FrontRow, ...]:
    """Return the elite and the seed, best first, as far as they were measured."""
    ids = list(dict.fromkeys([*state.elite, state.candidates[0].id]))
    on_front = {one.id for one in front}
    rows: list[FrontRow] = []
    for one in ids:
        told = [evaluation for evaluation in state.evaluations if evaluation.candidate_id == one]
        values = [value for evaluation in told for value in evaluation.fitness if value is not None]
        found = estimate(values, np.random.default_rng(0))
        if found is None:
            continue
        n_calls = max(1, sum(evaluation.n_calls for evaluation in told))
        rows.append(
            FrontRow(
                number=len(rows) + 1,
                candidate=state.candidate(one),
                is_on_front=one in on_front,
                is_winner=one == winner_id,
                is_seed=one == state.candidates[0].id,
                fitness=found,
                n_prompt_tokens=sum(evaluation.n_prompt_tokens for evaluation in told) / n_calls,
                latency_s=sum(evaluation.latency_s * evaluation.n_calls for evaluation in told) / n_calls,
            )
        )
    return tuple(rows)


def draw_front(rows: Sequence[FrontRow]) -> tuple[tuple[str, Markup], ...]:
    """Return title and picture of fitness against prompt tokens and against latency, where these were measured."""
    found = []
    for title, label, unit, values in (
        ("Fitness and prompt tokens", "prompt tokens of a call", "", [one.n_prompt_tokens for one in rows]),
        ("Fitness and latency", "mean latency of a call", " s", [one.latency_s for one in rows]),
    ):
        if any(value > 0 for value in values):
            points = [
                Point(row.number, row.candidate.id, row.css, _exactly(value), row.fitness)
                for row, value in zip(rows, values, strict=True)
            ]
            found.append((title, draw_scatter(points, title, label, partial(_say, unit))))
    return tuple(found)


def _say(unit: str, value: float) -> str:
    return f"{value:.3g}{unit}"


def _exactly(value: float) -> Estimate:
    return Estimate(mean=value, low=value, high=value, n=1)
