"""Analysis -> its variants in the order of the leaderboard, each with the number and colour that mark it everywhere."""

from dataclasses import dataclass

from neuroforge.contracts.analysis import Analysis, MetricSummary
from neuroforge.contracts.experiments import Variant

N_COLOURS = 12


@dataclass(frozen=True)
class Contestant:
    """One variant, as the report shows it."""

    number: int
    """From 1, by mean quality; equals keep the order of the matrix, those without a score come last."""
    variant: Variant
    summary_by_metric: dict[str, MetricSummary]
    """Over everything."""

    @property
    def id(self) -> str:
        """The variant's."""
        return self.variant.id

    @property
    def css(self) -> str:
        """Class of its colour."""
        return f"c{(self.number - 1) % N_COLOURS}"


def rank_contestants(analysis: Analysis) -> tuple[Contestant, ...]:
    """Return the leaderboard's order."""
    found: dict[str, dict[str, MetricSummary]] = {one.id: {} for one in analysis.variants}
    for one in analysis.summaries:
        if one.dataset is None and one.task is None:
            found[one.variant_id][one.metric] = one

    def place(variant: Variant) -> float:
        quality = found[variant.id].get("quality")
        return 1.0 if quality is None or quality.estimate is None else -quality.estimate.mean

    ordered = sorted(analysis.variants, key=place)
    return tuple(Contestant(number, one, found[one.id]) for number, one in enumerate(ordered, start=1))
