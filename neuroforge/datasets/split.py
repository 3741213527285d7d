"""Items -> those of one split; items -> splits between which nothing is shared."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.errors import DataError


def select_split(items: Sequence[DatasetItem], split: str | None, name: str) -> tuple[DatasetItem, ...]:
    """Return the items of one split.

    Args:
        split: None = the only one that is there; items of several splits are never put together.
        name: The dataset's, for messages.
    Raises:
        DataError: No such split, or several and none was named; lists them with their sizes.
    """
    sizes = Counter(item.split for item in items)
    told = ", ".join(f"{one or 'none'} ({n})" for one, n in sorted(sizes.items(), key=lambda pair: pair[0] or ""))
    if split is None:
        if len(sizes) > 1:
            raise DataError(f"{name} has several splits, name one: {told}")
        return tuple(items)
    if split not in sizes:
        raise DataError(f"{name} has no split {split!r}; it has {told}")
    return tuple(item for item in items if item.split == split)


def make_splits(
    items: Sequence[DatasetItem], shares: Mapping[str, float], seed: int
) -> dict[str, tuple[DatasetItem, ...]]:
    """Return the items by split, each marked with it; the same for the same seed, in any order of the items.

    Items that share a group, what they paraphrase, or their question's text go into the same split, so that what is
    tuned on one says something about another. Sizes come as near to the shares as such families allow.

    Args:
        shares: Of each split; above 0, together 1.
    Raises:
        DataError: Shares that are none, or fewer families than splits.
    """
    if not shares or min(shares.values()) <= 0 or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-9):
        raise DataError(f"shares must be above 0 and together 1, not {dict(shares)}")
    families = find_families(items)
    if len(families) < len(shares):
        raise DataError(f"{len(families)} families of items (group, paraphrase, text) for {len(shares)} splits")
    found: dict[str, list[DatasetItem]] = {split: [] for split in shares}
    for family in sorted(families, key=lambda members: (-len(members), _rank(members, seed))):
        # The largest first, each to the split that lacks most; empty ones before all others.
        split = min(shares, key=lambda one: (bool(found[one]), len(found[one]) / shares[one], one))
        found[split].extend(family)
    return {split: tuple(_marked(one, split) for one in _in_order(items, members)) for split, members in found.items()}


def find_families(items: Sequence[DatasetItem]) -> list[list[DatasetItem]]:
    """Return the items by family: those that share a group, what they paraphrase, or their question's text.

    Whoever is of one family with another is of its whole family. An item may be what others name as paraphrased.
    """
    parents = list(range(len(items)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    first_by_key: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        asked = item.id if item.paraphrase_of is None else item.paraphrase_of
        keys = (("group", item.group), ("paraphrase", asked), ("text", " ".join(item.query.split())))
        for kind, key in keys:
            if key is not None:
                parents[root(index)] = root(first_by_key.setdefault((kind, key), index))
    families: dict[int, list[DatasetItem]] = defaultdict(list)
    for index, item in enumerate(items):
        families[root(index)].append(item)
    return list(families.values())


def _rank(members: Sequence[DatasetItem], seed: int) -> str:
    return min(hashlib.sha256(f"{seed}\0{one.dataset}\0{one.id}".encode()).hexdigest() for one in members)


def _in_order(items: Sequence[DatasetItem], members: Sequence[DatasetItem]) -> list[DatasetItem]:
    wanted = {(one.dataset, one.id) for one in members}
    return [one for one in items if (one.dataset, one.id) in wanted]


def _marked(item: DatasetItem, split: str) -> DatasetItem:
    return DatasetItem.model_validate({**item.model_dump(), "split": split})
