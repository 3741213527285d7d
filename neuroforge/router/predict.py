"""TaskProfile, features and the live load -> what each model would deliver: quality, length, seconds, USD."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.routing import Prediction, RoutingRequest
from neuroforge.contracts.tasks import TaskProfile
from neuroforge.router.belief import Belief, FittedQuality
from neuroforge.router.features import Features
from neuroforge.router.latency import LatencyEstimator, Speed
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.prior import KnownModels, prior_beside

Floats = NDArray[np.float64]
Z_90 = 1.645
"""Deviations to either side that hold 90 % of a normal distribution."""


class Asked(NamedTuple):
    """One request as the predictor sees it."""

    request: RoutingRequest
    profile: TaskProfile
    features: Features
    basis: Floats
    """(d,), what the online posteriors look at."""
    told: FittedQuality | None = None
    """What the belief's fit says of it; None = not asked yet."""


class Expected(NamedTuple):
    """All models, in the endpoints' order."""

    predictions: list[Prediction]
    speeds: list[Speed]
    base_quality: list[float]
    """Before the online correction: score - base is what the posteriors learn."""


class _Quality(NamedTuple):
    """Each (m,)."""

    mean: Floats
    low: Floats
    high: Floats
    std: Floats


class PerformancePredictor:
    """Combines what was fitted, what was learned since, and what the fleet is doing right now."""

    def __init__(self, estimator: LatencyEstimator, lengths: OutputLengths) -> None:
        self._estimator = estimator
        self._lengths = lengths

    def predict_all(self, asked: Asked, endpoints: Sequence[ModelEndpoint], belief: Belief) -> Expected:
        """Predict every model.

        Quality is the fit's (of a model it does not know: the prior's) plus the online correction, clipped to 0..1.
        Its deviation shrinks with the posterior's. Latency includes the live queue; length respects max_tokens.
        """
        request, profile = asked.request, asked.profile
        base = _base_quality(asked, endpoints, belief)
        quality, n_outcomes = _correct(base, [one.model_id for one in endpoints], asked.basis, belief)
        speeds = self._estimator.expected_speeds(endpoints)
        predictions = []
        for index, (endpoint, speed) in enumerate(zip(endpoints, speeds, strict=True)):
            n_tokens = self._lengths.of_model(endpoint.model_id, profile.task_type, profile.n_output_tokens)
            if request.max_tokens is not None:
                n_tokens = min(n_tokens, request.max_tokens)
            predictions.append(
                Prediction(
                    model_id=endpoint.model_id,
                    quality=float(quality.mean[index]),
                    quality_low=float(quality.low[index]),
                    quality_high=float(quality.high[index]),
                    quality_std=float(quality.std[index]),
                    n_outcomes=n_outcomes[index],
                    n_output_tokens=n_tokens,
                    ttft_s=speed.ttft_s,
                    s_per_token=speed.s_per_token,
                    latency_s=speed.latency_s(n_tokens),
                    cost_usd=endpoint.price.cost_usd(profile.n_prompt_tokens, round(n_tokens)),
                )
            )
        return Expected(predictions, speeds, base.mean.tolist())


def base_quality(asked: Asked, endpoint: ModelEndpoint, belief: Belief) -> float:
    """Return one model's quality before the online correction."""
    return float(_base_quality(asked, [endpoint], belief).mean[0])


def _base_quality(asked: Asked, endpoints: Sequence[ModelEndpoint], belief: Belief) -> _Quality:
    """By the fit; a model that it does not know has its prior, and any score within two deviations of it."""
    rows: list[tuple[float, float, float, float]] = []
    fitted, known = asked.told, None
    if belief.fitted is not None:
        fitted = fitted or belief.fitted.predict(asked.features)
        known = KnownModels(belief.fitted.model_ids, float(fitted.quality[0].mean()))
    place = {} if known is None else {name: index for index, name in enumerate(known.model_ids)}
    for endpoint in endpoints:
        index = place.get(endpoint.model_id)
        if fitted is not None and index is not None:
            told = (fitted.quality, fitted.low, fitted.high, fitted.std)
            rows.append(tuple(float(array[0, index]) for array in told))  # type: ignore[arg-type]
            continue
        mean, std = prior_beside(endpoint, asked.profile.task_type, belief.rules, known)
        reach = Z_90 * (std**2 + mean * (1 - mean)) ** 0.5
        rows.append((mean, mean - reach, mean + reach, std))
    return _Quality(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def _correct(base: _Quality, model_ids: list[str], basis: Floats, belief: Belief) -> tuple[_Quality, list[float]]:
    online, unlearned = belief.online, belief.unlearned
    if online is None or unlearned is None:
        shift, shrink, n_outcomes = np.zeros(len(model_ids)), np.ones(len(model_ids)), [0.0] * len(model_ids)
    else:
        shift, std = online.predict(model_ids, basis)
        _, before = unlearned.predict(model_ids, basis)
        shrink = np.minimum(std / before, 1.0)
        n_outcomes = [online.n_outcomes(model_id) for model_id in model_ids]
    mean = np.clip(base.mean + shift, 0.0, 1.0)
    low = np.clip(np.minimum(base.low + shift, mean), 0.0, 1.0)
    high = np.clip(np.maximum(base.high + shift, mean), 0.0, 1.0)
    return _Quality(mean, low, high, base.std * shrink), n_outcomes
