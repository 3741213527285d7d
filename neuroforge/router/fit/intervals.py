"""Values a question -> their mean with a bootstrap interval; predictions -> how well they are calibrated."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from neuroforge.contracts.base import Contract

Floats = NDArray[np.float64]

N_RESAMPLES = 1_000
CONFIDENCE = 0.95
N_BINS = 15
BLOCK = 50


class Estimate(Contract):
    """A mean over questions, with the 95 % interval of the percentile bootstrap over questions."""

    mean: float
    low: float
    high: float


class Calibration(Contract):
    """How far the predictions can be taken at their word."""

    ece: float = Field(ge=0)
    """Mean gap between predicted and real score over 15 bins of equal mass, all models together."""
    coverage: float = Field(ge=0, le=1)
    """Share of the real scores within their 90 % intervals."""
    interval_width: float = Field(ge=0, le=1)
    """Mean width of these intervals."""


def estimate(values: Floats, seed: int = 0) -> Estimate:
    """Return the mean of (n,) values, n >= 1."""
    rng = np.random.default_rng(seed)
    n = len(values)
    means = []
    for _ in range(N_RESAMPLES // BLOCK):
        means.append(values[rng.integers(0, n, (BLOCK, n))].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(mean=float(values.mean()), low=float(low), high=float(high))


def measure_calibration(predicted: Floats, low: Floats, high: Floats, real: Floats) -> Calibration:
    """Return the calibration of flat arrays of equal length, one entry a question and model."""
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, min(N_BINS, len(order)))
    gaps = [len(rows) * abs(float(predicted[rows].mean() - real[rows].mean())) for rows in bins]
    is_covered = (real >= low - 1e-9) & (real <= high + 1e-9)
    return Calibration(
        ece=sum(gaps) / len(order), coverage=float(is_covered.mean()), interval_width=float((high - low).mean())
    )
