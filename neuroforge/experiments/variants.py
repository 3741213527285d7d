"""Configuration and items -> what would fail later, said before the first call."""

from collections.abc import Iterable, Sequence

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import ExperimentConfig, Variant
from neuroforge.contracts.models import ModelStatus
from neuroforge.errors import DataError, RequestError
from neuroforge.experiments.family import check_judge


def check_names(config: ExperimentConfig, variants: Sequence[Variant], hosted: Sequence[ModelStatus]) -> None:
    """Refuse gates and planned pairs of variants that there are not, and a judge that may not judge.

    Raises:
        RequestError: Names the variants that there are.
        ConfigError: The judge is of a contestant's family.
    """
    named = [name for gate in config.gates for name in (gate.better, gate.reference)]
    named += [name for pair in config.planned for name in pair]
    for name in named:
        find_variant(name, variants)
    check_judge(config, hosted)


def find_variant(name: str, variants: Sequence[Variant]) -> Variant:
    """Return the variant of that id, or the only one of that model.

    Raises:
        RequestError: There is none, or the model has several.
    """
    if found := next((one for one in variants if one.id == name), None):
        return found
    of_model = [one for one in variants if one.model_id == name]
    if len(of_model) == 1:
        return of_model[0]
    what = "has several variants" if of_model else "is no variant of this experiment"
    raise RequestError(f"{name!r} {what}; name one of {', '.join(one.id for one in of_model or variants)}")


def check_quality(config: ExperimentConfig, items: Iterable[DatasetItem]) -> frozenset[str]:
    """Return the scorers that the items use.

    Raises:
        DataError: Quality is asked for, and an item has neither a reference nor a judge.
    """
    scorers: set[str] = set()
    for item in items:
        scorers.add(item.scorer)
        if item.scorer == "judge" and config.judge is None and "quality" in config.metrics:
            raise DataError(
                f"item {item.id!r} of {item.dataset} has no reference: give one, name a judge, or leave quality out"
            )
    return frozenset(scorers)
