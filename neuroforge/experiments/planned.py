"""Pairs of names that people write -> pairs of ids of variants."""

from collections.abc import Sequence

from neuroforge.contracts.experiments import Variant
from neuroforge.errors import RequestError
from neuroforge.experiments.variants import find_variant


def resolve_planned(pairs: Sequence[tuple[str, str]], variants: Sequence[Variant]) -> tuple[tuple[str, str], ...]:
    """Return the pairs as ids of variants, each pair once.

    Raises:
        RequestError: As `find_variant`, or a pair of one variant with itself.
    """
    found: dict[frozenset[str], tuple[str, str]] = {}
    for a, b in pairs:
        pair = (find_variant(a, variants).id, find_variant(b, variants).id)
        if pair[0] == pair[1]:
            raise RequestError(f"planned: {a!r} and {b!r} are the same variant", param="planned")
        found.setdefault(frozenset(pair), pair)
    return tuple(found.values())
