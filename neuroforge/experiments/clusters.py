"""Names that items share -> numbers of clusters: what shares any name is one cluster."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def find_clusters(*names: Sequence[Hashable | None]) -> NDArray[np.int64]:
    """Return (n,) numbers from 0 in order of appearance; two items that share a name, through others too, share one.

    Args:
        names: Each (n,): one way in which items may belong together, such as passage and question; None = none.
    """
    parents: dict[tuple[int, Hashable], tuple[int, Hashable]] = {}
    keys = []
    for row in zip(*names, strict=True):
        own = [(way, name) for way, name in enumerate(row) if name is not None]
        for key in own:
            parents.setdefault(key, key)
        for key in own[1:]:
            parents[_root(parents, key)] = _root(parents, own[0])
        keys.append(own[0] if own else None)
    numbers: dict[Hashable, int] = {}
    found = []
    for index, first in enumerate(keys):
        root: Hashable = index if first is None else _root(parents, first)
        found.append(numbers.setdefault(root, len(numbers)))
    return np.array(found, dtype=np.int64)


def _root(parents: dict[tuple[int, Hashable], tuple[int, Hashable]], key: tuple[int, Hashable]) -> tuple[int, Hashable]:
    while parents[key] != key:
        parents[key] = parents[parents[key]]
        key = parents[key]
    return key
