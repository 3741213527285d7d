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
    alpha: float | None = None
    """What the p-value had to reach; None = nothing was tested."""
    n_tests: int = 0
    """Of this prompt on these items, this one included, as far as they are remembered; 0 = nothing was tested."""
    test: str | None = None
    winner_score: float | None = None
    seed_score: float | None = None
    n_items: int = 0
    sentence: str
    """For people."""
    warnings: tuple[str, ...] = ()
    """Leaks, copies, items without a score, earlier tests."""


def judge_winner(
    winner: Mapping[str, float | None],
    seed: Mapping[str, float | None],
    clusters: Mapping[str, object],
    alpha: float,
    rng: np.random.Generator,
) -> Verdict:
    """Return whether the winner is better on the test items, by a one-sided paired test at `alpha`.

    An item on which only the seed has a score counts as 0 for the winner: a prompt whose calls fail, say because it is
    too long, must not look better for what it does not answer. An item without a score of the seed counts for neither.
    This is the worst case for the winner, and for this proof only: elsewhere what has no score is no 0
    (docs/decisions/167).

    Args:
        winner: Score by item id, 0..1; None = not scored.
        seed: As `winner`, of the prompt that is to be replaced.
        clusters: Label by item id: items of equal labels are not independent. One that is missing stands alone.
    """
    common = [one for one in winner if seed.get(one) is not None]
    n_unscored = sum(winner[one] is None for one in common)
    if len(common) < 2 or n_unscored == len(common):
        n_both = len(common) - n_unscored
        return Verdict(
            is_promoted=False,
            improvement=None,
            n_items=n_both,
            sentence=f"{n_both} test items were scored for both prompts: nothing can be shown; the seed stays",
        )
    a = np.array([winner[one] or 0.0 for one in common], dtype=float)
    b = np.array([seed[one] for one in common], dtype=float)
    labels = [clusters.get(one, one) for one in common]
    shared = labels if len(set(labels)) < len(labels) else None
    try:
        found = compare_paired(a, b, shared, (0.0, 1.0), rng=rng)
    except DataError as error:
        return Verdict(
            is_promoted=False, improvement=None, n_items=len(common), sentence=f"{error.message}; the seed stays"
        )
    difference = found.difference
    p_value = found.p_value / 2 if difference.mean > 0 else 1.0
    is_promoted = difference.mean > 0 and p_value <= alpha
    counted = f" ({n_unscored} without a score counted as 0)" if n_unscored else ""
    scores = f"{a.mean():.3f} against {b.mean():.3f} on {len(common)} fresh items{counted}"
    interval = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    told = f"{interval}, one-sided p = {p_value:.3g}, needed {alpha:.3g}"
    end = "the winner takes its place" if is_promoted else "not shown to be better: the seed stays"
    return Verdict(
        is_promoted=is_promoted,
        improvement=Estimate(mean=difference.mean, low=difference.low, high=difference.high, n=len(common)),
        p_value=p_value,
        alpha=alpha,
        test=found.test,
        winner_score=float(a.mean()),
        seed_score=float(b.mean()),
        n_items=len(common),
        sentence=f"{scores}: {told}; {end}",
    )
