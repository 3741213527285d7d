"""Logged outcomes + two policies -> what each would have earned, doubly robust, and the paired difference.

Estimator: Dudik, Langford, Li 2011 (arXiv:1103.4601). For a decision with predictions q, logged probabilities mu,
chosen model a and score r, a policy pi earns  sum_m pi(m) q(m) + pi(a) / mu(a) * (r - q(a)).  The predictions were
logged before the score was known, so they need no cross-fitting. Weights are neither clipped nor normalised: a model
that could be chosen has mu >= 1 % (less only beside 50 others), so none exceeds 100, and with exact mu the estimate is
unbiased whatever the predictions are. Only scored decisions count: what is estimated is the quality among requests
whose answers get scored.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import Estimate, ReplayReport
from neuroforge.router.choices import Policy, Shares, logged_shares
from neuroforge.router.scored import ScoredDecision

Floats = NDArray[np.float64]
Z_95 = 1.959964
FEWEST_EFFECTIVE = 100.0
"""Effective sample size below which nothing is concluded."""
MOST_UNSUPPORTED = 0.05
"""Of the changed choices may rest on predictions alone."""
_SAME = 1e-9
_UNKNOWN_QUALITY = 0.5


class Terms(NamedTuple):
    """What the estimate is made of; n logged decisions, m models."""

    quality: Floats
    """(n, m), predicted before the score was known."""
    shares_old: Floats
    """(n, m), rows sum to 1, or to 0 where the request would be refused (which earns 0)."""
    shares_new: Floats
    """(n, m)."""
    shares_logged: Floats
    """(n, m)."""
    chosen: NDArray[np.intp]
    """(n,), column of the model that answered."""
    scores: Floats
    """(n,), 0..1."""
    counts: Floats
    """(n,), how many decisions each stands for, with mean 1."""


class _Row(NamedTuple):
    """One logged decision under both policies."""

    decision: Decision
    score: float
    weight: float
    logged: Shares
    old: Shares
    new: Shares


def replay(scored: Iterable[ScoredDecision], policy_old: Policy, policy_new: Policy) -> ReplayReport:
    """What the new policy would have earned on the logged decisions, against the old one.

    Decisions without a score, and those that the router did not make freely (the caller named the model, another had
    failed before), do not count.
    """
    rows: list[_Row] = []
    for one in scored:
        logged = logged_shares(one.decision)
        if one.score is None or logged is None:
            continue
        old, new = policy_old.choose(one.decision, logged), policy_new.choose(one.decision, logged)
        rows.append(_Row(one.decision, one.score, one.weight, logged, old, new))
    return estimate(_terms(rows))


def estimate(terms: Terms) -> ReplayReport:
    """The report on these terms; without any decision all figures are 0 with n = 0."""
    n = len(terms.scores)
    if n == 0:
        nothing = Estimate(mean=0.0, low=0.0, high=0.0, n=0)
        return ReplayReport(value=nothing, baseline=nothing, difference=nothing, effective_sample_size=0.0, n_changed=0)
    earned_old, _ = _earned(terms, terms.shares_old)
    earned_new, weights = _earned(terms, terms.shares_new)
    is_changed = np.abs(terms.shares_new - terms.shares_old).max(axis=1) > _SAME
    difference = np.where(is_changed, earned_new - earned_old, 0.0)
    return ReplayReport(
        value=_mean(earned_new, terms.counts),
        baseline=_mean(earned_old, terms.counts),
        difference=_mean(difference, terms.counts),
        effective_sample_size=effective_sample_size((weights * terms.counts)[is_changed]),
        n_changed=int(is_changed.sum()),
        unsupported_share=_unsupported(terms, is_changed),
    )


def effective_sample_size(weights: Floats) -> float:
    """(sum w)^2 / sum w^2: how many equally weighted decisions would say as much; 0 where no weight is positive."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def refusal(report: ReplayReport) -> str | None:
    """Why rules with this report must not be applied; None = nothing speaks against them."""
    if report.effective_sample_size < FEWEST_EFFECTIVE:
        return (
            f"not enough evidence: effective sample size {report.effective_sample_size:.1f} over {report.n_changed} "
            f"decisions that would change (of {report.value.n} scored), {FEWEST_EFFECTIVE:g} are needed"
        )
    if report.unsupported_share > MOST_UNSUPPORTED:
        return (
            f"not enough evidence: {report.unsupported_share:.0%} of the changed choices go to models that were never "
            f"tried on such requests, {MOST_UNSUPPORTED:.0%} are allowed; let the router explore them first"
        )
    if report.difference.high < 0:
        return f"the replay shows a loss of quality: {difference_text(report.difference)}"
    return None


def is_proven(report: ReplayReport) -> bool:
    """Whether the interval of the gain lies above 0, on enough evidence."""
    return refusal(report) is None and report.difference.low > 0


def difference_text(found: Estimate) -> str:
    """`+0.031 [+0.012, +0.050] on 800`."""
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}] on {found.n}"


def predicted_gain(decision: Decision, policy_old: Policy, policy_new: Policy) -> float | None:
    """What the predictions say the new policy gains on one decision; None where the router did not choose freely."""
    logged = logged_shares(decision)
    if logged is None:
        return None
    old, new = policy_old.choose(decision, logged), policy_new.choose(decision, logged)
    if old == new:
        return 0.0
    quality = _qualities(decision)
    gain = sum(share * quality.get(model_id, _UNKNOWN_QUALITY) for model_id, share in new.items())
    return gain - sum(share * quality.get(model_id, _UNKNOWN_QUALITY) for model_id, share in old.items())


def _terms(rows: list[_Row]) -> Terms:
    names = {row.decision.model_id for row in rows}
    names |= {view.model_id for row in rows for view in row.decision.candidates}
    column = {model_id: index for index, model_id in enumerate(sorted(names))}
    shape = (len(rows), len(names))
    quality = np.full(shape, _UNKNOWN_QUALITY)
    logged, old, new = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for index, row in enumerate(rows):
        for model_id, value in _qualities(row.decision).items():
            quality[index, column[model_id]] = value
        for matrix, shares in ((logged, row.logged), (old, row.old), (new, row.new)):
            for model_id, share in shares.items():
                matrix[index, column[model_id]] = share
    chosen = np.array([column[row.decision.model_id] for row in rows], dtype=np.intp)
    counts = np.array([row.weight for row in rows])
    scores = np.array([row.score for row in rows])
    return Terms(quality, old, new, logged, chosen, scores, counts / counts.mean() if rows else counts)


def _qualities(decision: Decision) -> dict[str, float]:
    return {view.model_id: view.prediction.quality for view in decision.candidates if view.prediction is not None}


def _earned(terms: Terms, shares: Floats) -> tuple[Floats, Floats]:
    """(n,) doubly robust terms and (n,) importance weights."""
    rows = np.arange(len(terms.scores))
    weights = shares[rows, terms.chosen] / terms.shares_logged[rows, terms.chosen]
    expected = (shares * terms.quality).sum(axis=1)
    return expected + weights * (terms.scores - terms.quality[rows, terms.chosen]), weights


def _unsupported(terms: Terms, is_changed: NDArray[np.bool_]) -> float:
    """Share of the new choices, over the changed decisions, where the log's own probability is 0."""
    if not is_changed.any():
        return 0.0
    new, logged = terms.shares_new[is_changed], terms.shares_logged[is_changed]
    counts = terms.counts[is_changed]
    return min(1.0, float(np.where(logged > 0, 0.0, new).sum(axis=1) @ counts / counts.sum()))


def _mean(values: Floats, counts: Floats) -> Estimate:
    """Mean with a normal 95 % interval from the terms' own spread (the estimator's influence function)."""
    n = len(values)
    mean = float(values @ counts) / n
    half_width = Z_95 * float(np.sqrt(((counts * (values - mean)) ** 2).sum() / (n * (n - 1)))) if n > 1 else 1.0
    return Estimate(mean=mean, low=mean - half_width, high=mean + half_width, n=n)
