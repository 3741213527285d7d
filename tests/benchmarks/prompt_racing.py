"""Racing against full evaluation: the true score of each one's winner, and the calls that the race took.

With `--data`, the prompts that CAPO's authors published with their scores on 500 test items (18 or 19 prompts on each
of 5 data sets x 3 models); without, made-up prompts. What a prompt gets on an item is drawn anew each time so that its
mean is the published score: items are as hard for one prompt as for another to a good part.
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from neuroforge.prompts.evolution_state import EvolutionSettings
from neuroforge.prompts.race import survivors
from tests.benchmarks.figures import Figure, at_most

N_ITEMS = 300
"""As many as CAPO's runs evaluate on."""
BLOCK = 10
N_REPEATS = 40
SHARED = 0.6
"""Of the variance behind an item's outcome: what all prompts find hard."""
MOST_LOST, MOST_CALLS = 0.005, 0.35
Floats = NDArray[np.float64]


def run(data: Path | None) -> list[Figure]:
    """Race the prompts of every set; see the module docstring."""
    sets = _published(data / "capo-runs" / "init_prompts_scores.csv") if data else _made_up()
    rng = np.random.default_rng(0)
    lost, shares, regrets = [], [], []
    for truth in sets:
        for _ in range(N_REPEATS):
            outcomes = _draw(truth, rng)
            full = int(outcomes.mean(axis=1).argmax())
            winner, n_calls = race(outcomes)
            lost.append(truth[full] - truth[winner])
            shares.append(n_calls / outcomes.size)
            regrets.append(truth.max() - truth[full])
    return [
        at_most("true score of full evaluation's winner less the race's", float(np.mean(lost)), "", MOST_LOST),
        at_most("calls of the race / of full evaluation", float(np.mean(shares)), "", MOST_CALLS),
        Figure("  the best prompt's true score less that of full evaluation's winner", float(np.mean(regrets)), ""),
        Figure("  sets x repeats", len(lost), ""),
    ]


def race(outcomes: Floats) -> tuple[int, int]:
    """Return who wins and the calls, by the rule and the numbers of the product's searches.

    Args:
        outcomes: (n_prompts, n_items), of which the race looks at a block at a time.
    """
    settings = EvolutionSettings()
    going, n_calls = [str(row) for row in range(len(outcomes))], 0
    for end in range(BLOCK, outcomes.shape[1] + 1, BLOCK):
        n_calls += BLOCK * len(going)
        seen = {one: {str(item): outcomes[int(one), item] for item in range(end)} for one in going}
        going = list(survivors(seen, settings.n_survivors, settings.alpha))
    return int(going[0]), n_calls


def _draw(truth: Floats, rng: np.random.Generator) -> Floats:
    hardness = np.sqrt(SHARED) * rng.normal(size=N_ITEMS)
    own = np.sqrt(1 - SHARED) * rng.normal(size=(len(truth), N_ITEMS))
    return np.asarray(hardness + own < ndtri(truth)[:, None], dtype=float)


def _published(path: Path) -> list[Floats]:
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            scores[row["dataset"], row["model"]].append(float(row["test_score"]))
    return [np.array(one) for one in scores.values()]


def _made_up() -> list[Floats]:
    rng = np.random.default_rng(1)
    return [np.clip(rng.normal(mean, 0.08, size=18), 0.02, 0.98) for mean in np.linspace(0.3, 0.9, 15)]
