"""Means of quality, latency and cost -> the variants that no other beats on all at once."""

from collections.abc import Mapping, Sequence

from neuroforge.contracts.analysis import MetricSummary

AXES = {"quality": 1.0, "latency_s": -1.0, "cost_usd": -1.0}
"""Sign by metric: higher is better, or lower is."""


def find_pareto(variant_ids: Sequence[str], summaries: Sequence[MetricSummary]) -> tuple[str, ...]:
    """Return the variants that are as good as any other on at least one axis given the rest, in their order.

    By means, without their intervals. Axes on which a variant that has quality was not measured are left out; a variant
    without quality is not on the front.
    """
    means = {axis: _means(summaries, axis) for axis in AXES}
    scored = [one for one in variant_ids if one in means["quality"]]
    axes = [axis for axis in AXES if all(one in means[axis] for one in scored)]
    points = {one: tuple(AXES[axis] * means[axis][one] for axis in axes) for one in scored}
    return tuple(one for one in scored if not _is_dominated(points[one], points))


def _means(summaries: Sequence[MetricSummary], metric: str) -> dict[str, float]:
    return {
        one.variant_id: one.estimate.mean
        for one in summaries
        if one.metric == metric and one.dataset is None and one.task is None and one.estimate is not None
    }


def _is_dominated(point: tuple[float, ...], points: Mapping[str, tuple[float, ...]]) -> bool:
    return any(
        other != point and all(theirs >= own for theirs, own in zip(other, point, strict=True))
        for other in points.values()
    )
