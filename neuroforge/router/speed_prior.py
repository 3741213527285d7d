"""Speeds that were measured + sizes in models' names -> a first guess for models that never answered."""

from collections.abc import Sequence
from math import log

from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.router.prior import parameter_count

TYPICAL_SIZE = 1e9
"""Parameters of the model that a prior without any measurement is about."""
MAX_RATIO = 20.0
"""A guess goes no further than so many times what was measured."""


SERVER_POWER = 0.3
"""A server's larger models run on more hardware: with 70 times the parameters they take about 4 times as long."""


def size_of(endpoint: ModelEndpoint) -> float | None:
    """Return the size that its speed goes with, from the parameters that the model's names tell; None = none does.

    Embedded models share one machine: their time is in proportion to their parameters.
    """
    size = parameter_count(endpoint.model_id, endpoint.served_name, *endpoint.tags)
    if size is None or endpoint.engine == EngineKind.LLAMACPP:
        return size
    return float(TYPICAL_SIZE * (size / TYPICAL_SIZE) ** SERVER_POWER)


def fill_unknown(measured: Sequence[float | None], sizes: Sequence[float | None], prior: float) -> list[float]:
    """Return seconds for all: what was measured, else a guess.

    A guess grows with the size (see size_of), from the measured model nearest in size; where sizes are not known it
    is the fastest measured one, so that the model is tried; `prior` where nothing was measured.
    """
    known = [(value, size) for value, size in zip(measured, sizes, strict=True) if value is not None]
    return [_guess(known, size, prior) if value is None else value for value, size in zip(measured, sizes, strict=True)]


def _guess(known: list[tuple[float, float | None]], size: float | None, prior: float) -> float:
    if not known:
        return prior if size is None else prior * _ratio(size, TYPICAL_SIZE)
    sized = [(value, other) for value, other in known if other is not None]
    if size is None or not sized:
        return min(value for value, _ in known)
    value, other = min(sized, key=lambda pair: abs(log(size / pair[1])))
    return value * _ratio(size, other)


def _ratio(size: float, other: float) -> float:
    return min(max(size / other, 1 / MAX_RATIO), MAX_RATIO)
