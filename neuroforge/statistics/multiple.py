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


def spend_alpha(alpha: float, number: int) -> float:
    """Return the level of the next test of a family that grows: nobody knows how many there will be.

    alpha / (n (n + 1)): the levels of all tests together stay below alpha, and so does the chance of any false
    rejection, however the tests depend on each other and whenever they end.

    Args:
        alpha: Of the family, 0..1.
        number: Of the test in the family, from 1.
    Raises:
        DataError: A number below 1.
    Source: Alpha-spending, Tian and Ramdas, Statistical Methods in Medical Research 30 (2021), section 3,
        arXiv:1910.04900.
    """
    if number < 1:
        raise DataError(f"tests are numbered from 1; got {number}")
    return alpha / (number * (number + 1))


def _check(p_values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(p_values, dtype=float)
    if given.ndim != 1:
        raise DataError(f"p-values are one row of numbers; got an array of shape {given.shape}")
    if not ((given >= 0) & (given <= 1)).all():
        raise DataError(f"p-values lie between 0 and 1; got {given.tolist()}")
    return given
