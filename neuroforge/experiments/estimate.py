"""Requests that are left -> what asking them would take at most."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN
from neuroforge.contracts.experiment_run import ModelFacts
from neuroforge.contracts.experiments import CellRequest, CostEstimate, ExperimentConfig
from neuroforge.experiments.facts import lane_model
from neuroforge.experiments.matrix import count_characters


@dataclass
class CallSum:
    """Calls to one model; prompts from the texts' length, answers at their longest."""

    n_calls: int = 0
    n_prompt_tokens: int = 0
    n_completion_tokens_max: int = 0


@dataclass
class Estimator:
    """Adds up requests, model by model."""

    sum_by_model: dict[str, CallSum] = field(default_factory=dict)

    def add(self, requests: Iterable[CellRequest]) -> None:
        """Take over requests that will be calls."""
        for request in requests:
            found = self.sum_by_model.setdefault(request.cell.model_id, CallSum())
            found.n_calls += 1
            found.n_prompt_tokens += count_characters(request.messages) // CHARACTERS_PER_TOKEN
            found.n_completion_tokens_max += request.parameters.get("max_tokens", 1)

    @property
    def needed_bytes(self) -> int:
        """Room for the replies: a kilobyte each, and a quarter of the longest text that is allowed."""
        return sum(one.n_calls * 1024 + one.n_completion_tokens_max for one in self.sum_by_model.values())

    def estimate(
        self, models: Iterable[ModelFacts], n_cells: int, n_cached: int, is_in_turn: bool, config: ExperimentConfig
    ) -> CostEstimate:
        """Return the whole.

        Args:
            is_in_turn: Whether models answer one after another.
        """
        sums = [(model, self.sum_by_model[model.model_id]) for model in models if model.model_id in self.sum_by_model]
        seconds = [duration_s(model, one, lane_model(model, config.concurrency).n_slots_max) for model, one in sums]
        known = [one for one in seconds if one is not None]
        total_s = sum(known) if is_in_turn else max(known, default=0.0)
        return CostEstimate(
            n_cells=n_cells,
            n_cached=n_cached,
            n_calls=sum(one.n_calls for _, one in sums),
            n_prompt_tokens=sum(one.n_prompt_tokens for _, one in sums),
            n_completion_tokens_max=sum(one.n_completion_tokens_max for _, one in sums),
            cost_usd_max=sum(
                model.price.cost_usd(one.n_prompt_tokens, one.n_completion_tokens_max) for model, one in sums
            ),
            duration_s=total_s if len(known) == len(seconds) else None,
        )


def duration_s(model: ModelFacts, found: CallSum, n_slots: int) -> float | None:
    """Return how long the calls would take, so many at once; None where the model's statistics do not tell.

    They do not while it has not answered anything yet.
    """
    stats = model.stats
    if stats is None or stats.ttft_s is None or stats.s_per_token is None:
        return None
    return (found.n_calls * stats.ttft_s + found.n_completion_tokens_max * stats.s_per_token) / n_slots
