"""Evidence of all models -> posteriors of their coefficients, which share what all models have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COMMON_RATIO = 1.5
"""Prior variance of what all models share, over that of what one model adds: questions differ more than models do."""


MAX_STACKS = 32
"""Sets of candidates whose arrays are kept side by side."""
_NOTHING: Floats = np.zeros(0)


WIDER = 16.0
"""Times the prior variance, for a model whose outcomes say that it is further from its base than was believed: one that
the fit does not know."""
LEAST_ODDS = 2.0
"""Log odds at which they say so."""


@dataclass(frozen=True)
class Newcomers:
    """Models that a fit does not know."""

    known_ids: frozenset[str]
    """Those that it knows."""
    variances: Floats
    """(d,), prior of all others."""


@dataclass(frozen=True)
class Own:
    """One model, given what all share."""

    variances: Floats
    """(d,), of the prior that its outcomes chose."""
    covariance: Floats
    """(d, d), of what it adds."""
    mean: Floats
    """(d,), of its coefficients if what all share were nought."""
    information: Floats
    """(d, d), what it tells of what all share."""
    moment: Floats
    """(d,)."""


@dataclass
class Hierarchy:
    """coefficients of a model = common + own: common ~ N(0, COMMON_RATIO * variances), own ~ N(0, variances).

    The posterior is exact: each model's own part is integrated out of what it says of the common part.
    """

    variances: Floats
    """(d,)."""
    newcomers: Newcomers | None = None
    """None = there is no fit: all models are alike."""
    owns: dict[str, Own] = field(default_factory=dict)
    _stacks: dict[tuple[str, ...], tuple[Floats, Floats, Floats]] = field(default_factory=dict)
    common_mean: Floats = field(init=False)
    common_covariance: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.combine()

    def put(self, model_id: str, information: Floats, moment: Floats) -> None:
        """Take a model's evidence, in inverse variances; `combine` follows when all are there."""
        variances = self._variances_of(model_id)
        if _log_evidence(WIDER * variances, information, moment) > LEAST_ODDS + _log_evidence(
            variances, information, moment
        ):
            variances = WIDER * variances
        covariance = np.asarray(np.linalg.inv(np.diag(1.0 / variances) + information), dtype=np.float64)
        product = information @ covariance
        self.owns[model_id] = Own(
            variances=variances,
            covariance=covariance,
            mean=covariance @ moment,
            information=information - product @ information,
            moment=moment - product @ moment,
        )

    def combine(self) -> None:
        """Infer what all models share."""
        self._stacks.clear()
        n_basis = len(self.variances)
        precision = np.diag(1.0 / (COMMON_RATIO * self.variances))
        moment = np.zeros(n_basis)
        for own in self.owns.values():
            precision += own.information
            moment += own.moment
        self.common_covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        self.common_mean = self.common_covariance @ moment

    def predict(self, model_ids: Sequence[str], basis: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of each model's value at this basis, (m,) each; of an unknown one what all share.

        The variance is of what a model adds: what all share is as uncertain for each, and decides nothing among them.
        """
        means, covariances, variances = self._stacked(tuple(model_ids))
        directions = covariances @ basis
        passed = directions / variances
        return means @ basis + passed @ self.common_mean, np.maximum(directions @ basis, 0.0)

    def _variances_of(self, model_id: str) -> Floats:
        if self.newcomers is None or model_id in self.newcomers.known_ids:
            return self.variances
        return self.newcomers.variances

    def _unseen(self, model_id: str) -> Own:
        variances = self._variances_of(model_id)
        return Own(variances, np.diag(variances), np.zeros_like(variances), _NOTHING, _NOTHING)

    def _stacked(self, model_ids: tuple[str, ...]) -> tuple[Floats, Floats, Floats]:
        """(m, d), (m, d, d) and (m, d); kept, as the same models are asked for again and again."""
        if (found := self._stacks.get(model_ids)) is None:
            owns = [self.owns.get(model_id) or self._unseen(model_id) for model_id in model_ids]
            found = (
                np.array([own.mean for own in owns]),
                np.array([own.covariance for own in owns]),
                np.array([own.variances for own in owns]),
            )
            if len(self._stacks) >= MAX_STACKS:
                self._stacks.clear()
            self._stacks[model_ids] = found
        return found


def _log_evidence(variances: Floats, information: Floats, moment: Floats) -> float:
    """Log marginal likelihood of a model's outcomes under this prior, but for what no prior changes."""
    precision = np.diag(1.0 / variances) + information
    _, log_determinant = np.linalg.slogdet(precision)
    fit = moment @ np.linalg.solve(precision, moment)
    return float(0.5 * (fit - log_determinant - np.log(variances).sum()))
