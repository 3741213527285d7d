"""Two experiments -> what changed: each variant that both have, paired on the items that both asked."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from neuroforge.contracts.analysis import ExperimentComparison
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.errors import RequestError
from neuroforge.experiments.analysis.comparisons import compare_pairs
from neuroforge.experiments.analysis.metrics import Metric, measure_metrics
from neuroforge.experiments.analysis.summaries import Scope
from neuroforge.experiments.item_lines import ITEMS_FILE, read_items
from neuroforge.experiments.run import PLAN
from neuroforge.experiments.table import CellTable, read_cells
from neuroforge.experiments.tables import CELLS

_CONTENT = ("query", "messages", "tools", "references", "labels", "choices", "unit", "tolerance", "code")
"""What is asked and what is right. A scorer that the configuration names is told of as another setting."""


def compare_runs(first: Path, second: Path) -> ExperimentComparison:
    """Return the differences in quality, first less second, corrected over the variants (Holm).

    Items are the same if their ids and their content are: an id that a file gives may stand for another question now.

    Args:
        first, second: Directories of two experiments that have cells.parquet and items.jsonl.
    Raises:
        RequestError: They have no variant or no item in common: names what each has.
        DataError: Cells or items cannot be read.
    """
    plans = [ExperimentPlan.model_validate_json((one / PLAN).read_bytes()) for one in (first, second)]
    common = [one.id for one in plans[0].variants if one.id in {other.id for other in plans[1].variants}]
    if not common:
        had = " and ".join(f"{plan.id} has {', '.join(one.id for one in plan.variants)}" for plan in plans)
        raise RequestError(f"the experiments have no variant in common: {had}")
    tables = [
        read_cells(directory / CELLS, [one.id for one in plan.variants])
        for directory, plan in zip((first, second), plans, strict=True)
    ]
    same_ids = _same_ids(*tables)
    rows = _same_content(same_ids, tables[0], first, second)
    changed = _tell_changed(len(same_ids) - len(rows))
    if len(rows) < 2:
        why = "".join(f" ({note})" for note in changed)
        raise RequestError(
            f"{plans[0].id} and {plans[1].id} have {len(rows)} items in common{why}; two are needed at least"
        )
    pairs = [(f"{one} in {plans[0].id}", f"{one} in {plans[1].id}") for one in common]
    metric = _side_by_side(tables, rows, common)
    names = [name for pair in pairs for name in pair]
    everything = np.ones(len(rows), dtype=np.bool_)
    found = compare_pairs(metric, names, [(Scope(), everything)], pairs, plans[0].config.seed)
    comparisons = tuple(one for one in found if one.family == "planned")
    return ExperimentComparison(
        a=plans[0].id,
        b=plans[1].id,
        n_common_items=len(rows),
        comparisons=comparisons,
        summary=tuple(one.sentence for one in comparisons) or ("no variant has two scored items in common",),
        notes=(*changed, *_differences(*plans)),
    )


def _same_ids(first: CellTable, second: CellTable) -> list[tuple[int, int]]:
    """Rows of the items that have the same name in both."""
    row_by_key = {(one.dataset, one.id): row for row, one in enumerate(second.items)}
    return [
        (row, other)
        for row, one in enumerate(first.items)
        if (other := row_by_key.get((one.dataset, one.id))) is not None
    ]


def _same_content(rows: list[tuple[int, int]], table: CellTable, first: Path, second: Path) -> list[tuple[int, int]]:
    """Those of the rows whose items say the same in both directories."""
    contents = [_content_by_key(directory) for directory in (first, second)]
    keys = [(table.items[row].dataset, table.items[row].id) for row, _ in rows]
    return [pair for pair, key in zip(rows, keys, strict=True) if contents[0].get(key) == contents[1].get(key)]


def _content_by_key(directory: Path) -> dict[tuple[str, str], bytes]:
    """Digests, by dataset and id."""
    return {(item["dataset"], item["id"]): _digest(item) for _, item in read_items(directory / ITEMS_FILE)}


def _digest(item: dict[str, Any]) -> bytes:
    """A row's own columns count as far as they are none of an item's parts: templates may show them."""
    columns = {name: value for name, value in item.get("fields", {}).items() if name not in DatasetItem.model_fields}
    content = {**{name: item.get(name) for name in _CONTENT}, "fields": columns}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def _tell_changed(n_changed: int) -> tuple[str, ...]:
    if not n_changed:
        return ()
    return (f"not compared, since the same id stands for another content: {n_changed:,} of the items",)


def _side_by_side(tables: list[CellTable], rows: list[tuple[int, int]], variant_ids: list[str]) -> Metric:
    """Quality with two columns a variant, first and second; clusters as in the first, whose items say the same."""
    qualities = [measure_metrics(table, ("quality",))[0] for table in tables]
    columns = [
        quality.values[[pair[side] for pair in rows], table.variant_ids.index(variant_id)]
        for variant_id in variant_ids
        for side, (quality, table) in enumerate(zip(qualities, tables, strict=True))
    ]
    clusters = qualities[0].clusters[[row for row, _ in rows]]
    return Metric("quality", "quality", np.column_stack(columns), clusters, bounds=qualities[0].bounds)


def _differences(first: ExperimentPlan, second: ExperimentPlan) -> Iterator[str]:
    digest_by_id = {model.model_id: model.digest for model in second.models}
    for model in first.models:
        if model.model_id in digest_by_id and model.digest != digest_by_id[model.model_id]:
            yield f"{model.model_id} had other weights"
    prompt_by_name = {one.name: one for one in second.config.prompts}
    for prompt in first.config.prompts:
        if prompt.name in prompt_by_name and prompt != prompt_by_name[prompt.name]:
            yield f"the prompt {prompt.name!r} had another text"
    decoding_by_name = {one.name: one for one in second.config.decodings}
    for decoding in first.config.decodings:
        if decoding.name in decoding_by_name and decoding != decoding_by_name[decoding.name]:
            yield f"the decoding {decoding.name!r} had other values"
    for name in ("scorer", "choice_by", "repeats", "judge"):
        if getattr(first.config, name) != getattr(second.config, name):
            yield f"{name} was not the same"
