"""P-values of a family -> p-values that count how many were tried."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroforge.errors import DataError


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust planned comparisons: the chance of any false rejection stays below the level.

    Args:
        p_values: (n,), 0..1; an empty family gives an empty answer.
    Returns: (n,), in the same order.
    Raises:
        DataError: Not p-values.
    Source: Holm, Scandinavian Journal of Statistics 6 (1979). Not by statsmodels, which collects garbage on each call.
    """
    given = _check(p_values)
    order = np.argsort(given, kind="stable")
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)), 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust exploratory comparisons: the expected share of false ones among the rejected stays below the level.

    Arguments, result and errors as `holm`.

    Source: Benjamini and Hochberg, JRSS B 57 (1995), by scipy.
    """
    given = _check(p_values)
    if given.size == 0:
        return given
    from scipy.stats import false_discovery_control  # seconds of import

    return np.asarray(false_discovery_control(given, method="bh"), dtype=float)


def _check(p_values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(p_values, dtype=float)
    if given.ndim != 1:
        raise DataError(f"p-values are one row of numbers; got an array of shape {given.shape}")
    if not ((given >= 0) & (given <= 1)).all():
        raise DataError(f"p-values lie between 0 and 1; got {given.tolist()}")
    return given
