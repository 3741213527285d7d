"""Items -> n of them, each kind of task in proportion; the same for the same seed, in any order of the file."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from neuroforge.contracts.datasets import DatasetItem


def sample_stratified(items: Sequence[DatasetItem], n: int, seed: int) -> tuple[DatasetItem, ...]:
    """Return n items in random order, with as many of each (dataset, task) as its share, rounded, demands.

    Each stratum is represented if n allows it. A larger n adds to what a smaller one of the same seed took from a
    stratum, so that answers collected before stay of use. n at or above the number of items: all.
    """
    strata: dict[tuple[str, str], list[DatasetItem]] = defaultdict(list)
    for item in items:
        strata[item.dataset, item.task or ""].append(item)
    quotas = _quotas({name: len(members) for name, members in strata.items()}, min(n, len(items)))
    taken = [
        item
        for name, members in strata.items()
        for item in sorted(members, key=lambda one: _rank(one, seed))[: quotas[name]]
    ]
    return tuple(sorted(taken, key=lambda one: _rank(one, seed)))


def interleave(groups: Sequence[Sequence[DatasetItem]], seed: int) -> tuple[DatasetItem, ...]:
    """Return all items in an order in which every beginning holds about the same share of each group."""
    placed = [
        ((index + 0.5) / len(group), _rank(item, seed), item) for group in groups for index, item in enumerate(group)
    ]
    return tuple(item for _, _, item in sorted(placed, key=lambda one: one[:2]))


def _rank(item: DatasetItem, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{item.dataset}\0{item.id}".encode()).digest()


def _quotas(sizes: dict[tuple[str, str], int], n: int) -> dict[tuple[str, str], int]:
    """Largest remainders, after one for each stratum where n is enough for that; ties to the larger, then by name."""
    total = sum(sizes.values())
    shares = {name: n * size / total for name, size in sizes.items()} if total else {}
    floor = 1 if n >= len(sizes) else 0
    quotas = {name: max(floor, int(share)) for name, share in shares.items()}
    order = sorted(shares, key=lambda name: (-(shares[name] - quotas[name]), -sizes[name], name))
    while sum(quotas.values()) < n:
        for name in order:
            if sum(quotas.values()) < n and quotas[name] < sizes[name]:
                quotas[name] += 1
    for name in reversed(order):
        while sum(quotas.values()) > n and quotas[name] > floor:
            quotas[name] -= 1
    return quotas
