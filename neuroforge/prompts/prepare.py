"""OptimizeConfig and items -> what a run needs, checked before any money is spent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.datasets.sample import interleave, sample_stratified
from neuroforge.datasets.split import find_families, make_splits
from neuroforge.errors import DataError
from neuroforge.prompts.leaks import find_repeated
from neuroforge.prompts.program import program_of_text
from neuroforge.prompts.provenance import hash_items
from neuroforge.prompts.render import render_program
from neuroforge.prompts.slots import MOST_POOLED
from neuroforge.prompts.space import FEW_LABELS, kind_of

SPLITS = ("search", "selection", "test")
FEWEST_ITEMS = {"search": 5, "selection": 5, "test": 10}
"""With fewer nothing could be shown, whatever the prompt."""
MAX_NAMED = 5
"""Pairs that a message names."""
SMALLEST_BLOCK, LARGEST_BLOCK = 2, 10
CALLS_AN_ITEM = 100
"""Of the budget, for each item of a block: few calls are better spent on more prompts (docs/decisions/162)."""
LONGEST_QUESTION = 1500
"""Characters of an item that is shown as an example."""


@dataclass(frozen=True)
class Prepared:
    """Items by split, blocks of the search, and examples that may be shown."""

    seed: PromptProgram
    splits: Mapping[str, tuple[DatasetItem, ...]]
    blocks: tuple[tuple[str, ...], ...]
    pool: tuple[Demonstration, ...]
    """Of search and selection: no item is shown itself, so showing it to others tells nothing of its own score."""
    fresh: tuple[Demonstration, ...]
    """Of the test, for the winner to choose among as well: the search never shows them (docs/decisions/168)."""
    labels: tuple[str, ...]
    """Whose probabilities are climbed; empty = replies are scored."""
    answers: tuple[str, ...]
    """All labels of a task whose answers are labels, whether climbed or scored; else empty."""
    data_sha256: str
    """Of the items, in the order in which they were given."""

    @property
    def shared_labels(self) -> tuple[str, ...]:
        """The labels, if all items have the same."""
        own = {item.labels for items in self.splits.values() for item in items} - {()}
        return self.labels if all(set(one) == set(self.labels) for one in own) else ()

    @property
    def by_id(self) -> dict[str, DatasetItem]:
        """Every item."""
        return {item.id: item for items in self.splits.values() for item in items}


def seed_of(config: OptimizeConfig) -> PromptProgram:
    """Return the program to begin with. Raises DataError: the text does not say where the question goes."""
    if config.program is not None:
        return config.program
    return program_of_text(config.prompt or "")


def prepare(config: OptimizeConfig, items: Sequence[DatasetItem], tells_labels: bool = True) -> Prepared:
    """Split the items, make blocks of those of the search, and examples of these and of the selection's.

    Args:
        tells_labels: Whether the target's engine tells log-probabilities of labels.
    Raises:
        DataError: Too few items (says how many are missing), one question with different answers, a template that an
            item cannot fill, or labels that are none.
    """
    seed, data_sha256 = seed_of(config), hash_items(items)
    items = _scored_by(config, items)
    _check_contradictions(items)
    for item in items:
        render_program(seed, item)
    splits = make_splits(items, dict(zip(SPLITS, config.split, strict=True)), config.seed)
    for name, fewest in FEWEST_ITEMS.items():
        if (n := len(splits[name])) < fewest:
            share = config.split[SPLITS.index(name)]
            n_needed = round(fewest / share)
            raise DataError(
                f"{len(items)} examples leave {n} for the split {name!r}, which needs {fewest}: "
                f"give about {max(1, n_needed - len(items))} more"
            )
    answers = labels_of(items)
    search = _in_order(splits["search"], answers, config.seed)
    ids = [item.id for item in search]
    size = min(_block_size(config), len(ids))
    blocks = tuple(tuple(ids[start : start + size]) for start in range(0, len(ids) - size + 1, size))
    _check_verbalizer(seed, items)
    labels = answers if config.use_logprobs and tells_labels else ()
    pool = _examples((*search, *splits["selection"]))
    has_room = len(pool) < MOST_POOLED
    fresh = _examples(_in_order(_without_kin(splits["test"]), answers, config.seed)) if has_room else ()
    return Prepared(seed, splits, blocks, pool, fresh, labels, answers, data_sha256)


def _block_size(config: OptimizeConfig) -> int:
    if config.block_size is not None:
        return config.block_size
    max_calls = config.budget.max_calls
    if max_calls is None or config.strategy != "evolution":
        return LARGEST_BLOCK
    return min(LARGEST_BLOCK, max(SMALLEST_BLOCK, max_calls // CALLS_AN_ITEM))


def _in_order(items: Sequence[DatasetItem], answers: tuple[str, ...], seed: int) -> tuple[DatasetItem, ...]:
    """Items in random order; with labels so that every block holds about the same share of each.

    A block in which one label is frequent would favour prompts that always say it.
    """
    drawn = sample_stratified(items, len(items), seed)
    if not answers:
        return drawn
    groups: dict[str, list[DatasetItem]] = {}
    for item in drawn:
        groups.setdefault(item.references[0], []).append(item)
    return interleave(tuple(groups.values()), seed)


def labels_of(items: Sequence[DatasetItem]) -> tuple[str, ...]:
    """Return the labels whose probabilities can be climbed; empty where answers are no labels.

    Choice items bring their own; else the references are labels where few of them answer many items.
    """
    kind = kind_of(items)
    if items and all(item.labels for item in items):
        return tuple(dict.fromkeys(label for item in items for label in item.labels))
    if kind != "classification":
        return ()
    found = tuple(sorted({item.references[0] for item in items}))
    return found if 2 <= len(found) <= FEW_LABELS else ()


def _scored_by(config: OptimizeConfig, items: Sequence[DatasetItem]) -> tuple[DatasetItem, ...]:
    if config.metric is None:
        return tuple(items)
    return tuple(DatasetItem(**{**dict(item), "scorer": config.metric}) for item in items)


def _check_contradictions(items: Sequence[DatasetItem]) -> None:
    first: dict[str, DatasetItem] = {}
    pairs = []
    for item in items:
        before = first.setdefault(" ".join(item.query.split()).casefold(), item)
        if set(before.references) != set(item.references):
            pairs.append(
                f"{before.id!r} ({', '.join(before.references)}) and {item.id!r} ({', '.join(item.references)})"
            )
    if pairs:
        more = f", and {len(pairs) - MAX_NAMED} pairs more" if len(pairs) > MAX_NAMED else ""
        raise DataError(
            f"the same question stands twice with different answers: items {'; '.join(pairs[:MAX_NAMED])}{more}: keep "
            "one of each"
        )


def _check_verbalizer(seed: PromptProgram, items: Sequence[DatasetItem]) -> None:
    known = {reference for item in items for reference in (*item.references, *item.labels)}
    if unknown := [label for label in seed.verbalizer if label not in known]:
        raise DataError(
            f"verbalizer names the label {unknown[0]!r}, which no example has; there are "
            f"{', '.join(sorted(known)[:10])}"
        )
    words = Counter(seed.verbalizer.values())
    if double := next((word for word, n in words.items() if n > 1), None):
        raise DataError(f"verbalizer gives two labels the same word, {double!r}")


def _without_kin(test: Sequence[DatasetItem]) -> tuple[DatasetItem, ...]:
    """Items that resemble no other of them: shown to one that they resemble they would make it easier than fresh ones.

    Those of one group stay, since no item is shown its group, unless one nearly repeats another.
    """
    alone = {
        item.id
        for family in find_families(test)
        if len(family) == 1 or len({item.group or item.id for item in family}) == 1
        for item in family
    }
    alone -= find_repeated(test)
    return tuple(item for item in test if item.id in alone)


def _examples(items: Sequence[DatasetItem]) -> tuple[Demonstration, ...]:
    return tuple(
        Demonstration(question=item.query, answer=_answer(item), item_id=item.id, group=item.group)
        for item in items
        if item.references and len(item.query) <= LONGEST_QUESTION and item.scorer != "code"
    )


def _answer(item: DatasetItem) -> str:
    """As the model shall write it: of lettered choices the letter."""
    return item.references[0]
