"""Winner and seed on fresh items -> whether the winner takes the seed's place. The only way a prompt is promoted."""

from collections.abc import Mapping

import numpy as np

from neuroforge.contracts.base import Contract
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError
from neuroforge.statistics.paired import compare_paired


class Verdict(Contract):
    """What the untouched test says."""

    is_promoted: bool
    improvement: Estimate | None
    """Winner's score less the seed's, paired, 95 % interval; None = nothing was measured."""
    p_value: float | None = None
    """One-sided."""
    test: str | None = None
    winner_score: float | None = None
    seed_score: float | None = None
    n_items: int = 0
    sentence: str
    """For people."""
    warnings: tuple[str, ...] = ()
    """Leaks and copies."""


def judge_winner(
    winner: Mapping[str, float | None],
    seed: Mapping[str, float | None],
    groups: Mapping[str, str | None],
    alpha: float,
    rng: np.random.Generator,
) -> Verdict:
    """Return whether the winner is better on the test items, by a one-sided paired test at `alpha`.

    Args:
        winner: Score by item id; None = not scored, and the item is left out for both.
        seed: As `winner`, of the prompt that is to be replaced.
        groups: Group by item id; items of a group are not independent.
    """
    common = [one for one in winner if winner[one] is not None and seed.get(one) is not None]
    if len(common) < 2:
        return Verdict(
            is_promoted=False,
            improvement=None,
            n_items=len(common),
            sentence=f"{len(common)} test items were scored for both prompts: nothing can be shown; the seed stays",
        )
    a = np.array([winner[one] for one in common], dtype=float)
    b = np.array([seed[one] for one in common], dtype=float)
    labels = [groups.get(one) or one for one in common]
    clusters = labels if len(set(labels)) < len(labels) else None
    try:
        found = compare_paired(a, b, clusters, (-1.0, 1.0), rng=rng)
    except DataError as error:
        return Verdict(
            is_promoted=False, improvement=None, n_items=len(common), sentence=f"{error.message}; the seed stays"
        )
    difference = found.difference
    p_value = found.p_value / 2 if difference.mean > 0 else 1.0
    is_promoted = difference.mean > 0 and p_value <= alpha
    scores = f"{a.mean():.3f} against {b.mean():.3f} on {len(common)} fresh items"
    told = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}], one-sided p = {p_value:.3g}"
    end = "the winner takes its place" if is_promoted else "not shown to be better: the seed stays"
    return Verdict(
        is_promoted=is_promoted,
        improvement=Estimate(mean=difference.mean, low=difference.low, high=difference.high, n=len(common)),
        p_value=p_value,
        test=found.test,
        winner_score=float(a.mean()),
        seed_score=float(b.mean()),
        n_items=len(common),
        sentence=f"{scores}: {told}; {end}",
    )
