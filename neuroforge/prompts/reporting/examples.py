"""Winner and seed on the test items -> those that the new prompt fixed, and those that it broke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.tables import Measured

MAX_EXAMPLES = 25
"""Of each kind that are shown; evaluations.parquet has all."""
_LONGEST = 4000


@dataclass(frozen=True)
class Example:
    """One test item on which the two differ."""

    item: DatasetItem
    before: str
    after: str
    score_before: float
    score_after: float
    """0 where there is none, as the proof counts it."""


@dataclass(frozen=True)
class Examples:
    """Those that differ most come first."""

    fixed: tuple[Example, ...]
    broken: tuple[Example, ...]
    n_fixed: int
    n_broken: int
    n_same: int


def find_examples(
    measured: Sequence[Measured], items: Mapping[str, DatasetItem], winner_id: str, seed_id: str
) -> Examples:
    """Return test items that were scored for the seed and differ; of a winner that is the seed there are none."""
    by_id: dict[str, dict[str, ItemResult]] = {winner_id: {}, seed_id: {}}
    for one in measured:
        if one.split == "test" and one.candidate_id in by_id:
            by_id[one.candidate_id][one.result.item_id] = one.result
    found, n_same = [], 0
    for item_id, after in by_id[winner_id].items():
        before = by_id[seed_id].get(item_id)
        if before is None or before.score is None:
            continue
        score = after.score or 0.0
        if before.score == score:
            n_same += 1
        else:
            found.append(Example(items[item_id], _said(before), _said(after), before.score, score))
    found.sort(key=lambda one: -abs(one.score_after - one.score_before))
    fixed = [one for one in found if one.score_after > one.score_before]
    broken = [one for one in found if one.score_after < one.score_before]
    return Examples(tuple(fixed[:MAX_EXAMPLES]), tuple(broken[:MAX_EXAMPLES]), len(fixed), len(broken), n_same)


def _said(result: ItemResult) -> str:
    if result.score is None:
        return f"(no score: {result.reason or 'not scored'})"
    text = result.reply if result.reply is not None else result.answer
    return "(nothing)" if not text else text[:_LONGEST]
