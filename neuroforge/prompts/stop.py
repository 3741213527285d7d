"""A search's history -> why it should end here, or None: when one more generation is not expected to pay."""

from collections.abc import Sequence

import numpy as np

from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState, Milestone
from neuroforge.prompts.race import estimate
from neuroforge.prompts.spend import spent_on
from neuroforge.prompts.standing import Standing

FIRST_GAIN = 0.02
"""Expected of a generation before there was one."""
FADE = 0.7
"""What a generation leaves of the weight of those before it, the first expectation among them."""
PER_CALLS = 100


def milestone_of(state: EvolutionState, standing: Standing, best: str, seed: int) -> Milestone:
    """Return where the search stands when `best` has come to the head of its elite."""
    spent = spent_on(state.evaluations)
    return Milestone(
        generation=state.generation,
        best=best,
        fitness=estimate(list(standing.fitness[best].values()), np.random.default_rng(seed)),
        gain=max(0.0, standing.gain(best, state.elite[0])) if state.elite else 0.0,
        n_calls=spent.n_calls,
        n_tokens=spent.n_tokens,
        cost_usd=spent.cost_usd,
    )


def why_over(state: EvolutionState, settings: EvolutionSettings) -> str | None:
    """Return the reason, after a generation."""
    if settings.max_generations is not None and state.generation + 1 >= settings.max_generations:
        return f"{settings.max_generations} generations are over"
    if state.n_stalled >= settings.patience:
        return f"the best stayed the same for {state.n_stalled} generations"
    gain, n_calls = expect_next(state.history)
    worth = settings.min_gain * n_calls / PER_CALLS
    if gain < worth:
        return (
            f"one more generation would gain about {gain:.4f} for about {n_calls:.0f} calls, "
            f"which should gain {worth:.4f}"
        )
    return None


def expect_next(history: Sequence[Milestone]) -> tuple[float, float]:
    """Return what one more generation will gain in fitness, and the calls that it will take.

    Means of the generations that were bred, later ones counting more. The first was not bred: what it gained says
    nothing of what breeding will, so `FIRST_GAIN` stands in its place.
    """
    if not history:
        return FIRST_GAIN, 0.0
    n_calls = np.diff([0, *(one.n_calls for one in history)])
    weights = FADE ** np.arange(len(history) - 1, -1, -1, dtype=float)
    gains = [FIRST_GAIN, *(one.gain for one in history[1:])]
    bred = slice(1, None) if len(history) > 1 else slice(None)
    return float(np.average(gains, weights=weights)), float(np.average(n_calls[bred], weights=weights[bred]))
