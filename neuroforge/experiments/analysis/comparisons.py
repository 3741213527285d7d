"""Metric -> Comparison of every pair of variants on every scope, corrected by family."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.analysis import Comparison
from neuroforge.experiments.analysis.draws import make_rng
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.analysis.summaries import Scope
from neuroforge.experiments.analysis.verdicts import ALPHA, judge_pair, say_pair
from neuroforge.statistics.large import quick_compare_paired
from neuroforge.statistics.multiple import benjamini_hochberg, holm
from neuroforge.statistics.paired import PairedResult
from neuroforge.statistics.power import Power, power_of

Family = Literal["planned", "exploratory"]


@dataclass(frozen=True)
class Pair:
    """Two columns of a metric that are compared on a scope, before any correction."""

    a: int
    b: int
    scope: Scope
    family: Family
    result: PairedResult
    power: Power


def compare_pairs(
    metric: Metric, variant_ids: Sequence[str], scoped: Iterable[tuple[Scope, NDArray[np.bool_]]],
    planned: Sequence[tuple[str, str]], seed: int,
) -> list[Comparison]:  # fmt: skip
    """Return the comparisons of all pairs, in order of scopes and variants; planned pairs read as they were planned.

    Planned pairs over everything are one family (Holm); all other pairs over everything, all pairs by dataset and all
    by task are one exploratory family each (Benjamini-Hochberg). Pairs without two independent items in common are left
    out.

    Args:
        scoped: Scopes with the items that belong to them, (n_items,).
        planned: Pairs of variant ids.
    """
    found = [
        pair for scope, items in scoped for pair in _compare_scope(metric, variant_ids, scope, items, planned, seed)
    ]
    adjusted: dict[int, tuple[float, str]] = {}
    for family in dict.fromkeys(_family_key(pair) for pair in found):
        members = [index for index, pair in enumerate(found) if _family_key(pair) == family]
        name, correct = ("holm", holm) if family[0] == "planned" else ("benjamini-hochberg", benjamini_hochberg)
        p_values = correct([found[index].result.p_value for index in members])
        correction = f"{name} over {len(members)}"
        adjusted.update({index: (float(p), correction) for index, p in zip(members, p_values, strict=True)})
    return [_describe(metric, variant_ids, pair, *adjusted[index]) for index, pair in enumerate(found)]


def _compare_scope(
    metric: Metric, variant_ids: Sequence[str], scope: Scope, items: NDArray[np.bool_],
    planned: Sequence[tuple[str, str]], seed: int,
) -> Iterable[Pair]:  # fmt: skip
    as_planned = {frozenset(pair): pair for pair in planned}
    known = metric.known(items)
    for first, second in combinations(range(len(variant_ids)), 2):
        names = (variant_ids[first], variant_ids[second])
        a, b = (variant_ids.index(one) for one in as_planned.get(frozenset(names), names))
        rows = known[:, a] & known[:, b]
        if len(np.unique(metric.clusters[rows])) < 2:
            continue
        is_planned = frozenset(names) in as_planned and scope == Scope()
        result = quick_compare_paired(
            metric.values[rows, a],
            metric.values[rows, b],
            metric.clusters[rows],
            metric.bounds,
            rng=make_rng(seed, metric.name, *scope, *sorted(names)),
        )
        yield Pair(a, b, scope, "planned" if is_planned else "exploratory", result, power_of(result))


def _family_key(pair: Pair) -> tuple[str, bool, bool]:
    return pair.family, pair.scope.dataset is not None, pair.scope.task is not None


def _describe(metric: Metric, variant_ids: Sequence[str], pair: Pair, p_adjusted: float, correction: str) -> Comparison:
    result = pair.result
    wins, losses = (result.n_wins, result.n_losses) if metric.is_higher_better else (result.n_losses, result.n_wins)
    a, b = variant_ids[pair.a], variant_ids[pair.b]
    verdict = judge_pair(result.difference.mean, p_adjusted, metric.is_higher_better)
    return Comparison(
        a=a,
        b=b,
        metric=metric.name,
        dataset=pair.scope.dataset,
        task=pair.scope.task,
        difference=result.difference.estimate(),
        interval_method=result.difference.method,
        test=result.test,
        p_value=result.p_value,
        p_adjusted=p_adjusted,
        family=pair.family,
        correction=correction,
        n_wins=wins,
        n_losses=losses,
        n_ties=result.n_ties,
        effect_size=result.effect_size,
        minimum_detectable=pair.power.minimum_detectable,
        n_needed=None if p_adjusted <= ALPHA else pair.power.n_needed,
        verdict=verdict,
        sentence=say_pair(metric.name, a, b, result.difference, pair.power, verdict),
    )
