"""LearnerSnapshot -> Belief: fit, online posteriors and rules of one version, ready for use and never half changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.live_tests import LiveTestPlan
from neuroforge.contracts.outcomes import LearnerSnapshot
from neuroforge.errors import DataError
from neuroforge.router.basis import newcomer_variances
from neuroforge.router.clusters import PREFIX, Clusters
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.hierarchy import Newcomers
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.rules import RulesView

Floats = NDArray[np.floating]


class FittedQuality(Protocol):
    """What a fit says of n texts and its m models; each array is (n, m)."""

    @property
    def quality(self) -> Floats:
        """Calibrated, 0..1."""
        ...

    @property
    def low(self) -> Floats:
        """Lower end of the score's 90 % interval."""
        ...

    @property
    def high(self) -> Floats:
        """Upper end."""
        ...

    @property
    def std(self) -> Floats:
        """What is not known of the quality itself."""
        ...


class Fitted(Protocol):
    """A fitted router as a decision needs it."""

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Models it was fitted on."""
        ...

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task classes of its training file, by the file's own names."""
        ...

    def predict(self, features: FeatureMatrix) -> FittedQuality:
        """Quality of each model on each text."""
        ...

    def basis(self, features: FeatureMatrix) -> Floats:
        """(n, d), what the online posteriors are linear in; first each task's probability less an even share."""
        ...


LoadFit = Callable[[bytes], Fitted]
"""Raises DataError: the bytes are no fitted router, or one of another embedder or version."""


@dataclass(frozen=True)
class Belief:
    """What the router holds to be true, as of one version of the learner."""

    version: int
    rules: RulesView
    fit_id: str = ""
    fitted: Fitted | None = None
    online: OnlinePosterior | None = None
    """None = nothing was learned since the fit."""
    unlearned: OnlinePosterior | None = None
    """The same without any outcome: how wide beliefs were at first."""
    clusters: Clusters | None = None
    """Kinds of requests that the posteriors look at, where there is no fit."""
    best_single: str | None = None
    """Where the holdout's requests go; None = there is no holdout."""
    live_tests: tuple[LiveTestPlan, ...] = ()


def build_belief(snapshot: LearnerSnapshot, previous: Belief | None, load_fit: LoadFit) -> Belief:
    """Return the belief of a snapshot; takes some milliseconds, so not in the event loop.

    The fit travels only when it is new: else the previous belief's is kept.
    Raises:
        DataError: The fit is missing or cannot be used, or the posteriors cannot be read.
    """
    fitted, clusters = None, None
    if snapshot.fit is not None and snapshot.fit_id.startswith(PREFIX):
        clusters = Clusters.from_bytes(snapshot.fit)
    elif snapshot.fit is not None:
        fitted = load_fit(snapshot.fit)
    elif snapshot.fit_id:
        if previous is None or previous.fit_id != snapshot.fit_id:
            raise DataError(f"snapshot {snapshot.version} names the fit {snapshot.fit_id[:12]} without bringing it")
        fitted, clusters = previous.fitted, previous.clusters
    online = _read_online(snapshot, fitted)
    return Belief(
        version=snapshot.version,
        rules=RulesView(snapshot.rules),
        fit_id=snapshot.fit_id,
        fitted=fitted,
        online=online,
        unlearned=None if online is None else OnlinePosterior(online.prior_variances, newcomers=online.newcomers),
        clusters=clusters,
        best_single=snapshot.best_single,
        live_tests=snapshot.live_tests,
    )


def _read_online(snapshot: LearnerSnapshot, fitted: Fitted | None) -> OnlinePosterior | None:
    if not snapshot.online:
        return None
    online = OnlinePosterior.from_bytes(snapshot.online)
    if fitted is not None:
        variances = newcomer_variances(len(online.prior_variances), len(fitted.model_ids))
        online.newcomers = Newcomers(frozenset(fitted.model_ids), variances)
    # Beliefs are worked out when first asked for: here, not while a request waits.
    online.predict(("",), np.zeros(len(online.prior_variances)))
    return online
