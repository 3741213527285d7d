"""What would make an experiment worthless -> an error before the first call."""

from collections import Counter
from collections.abc import Sequence

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.template import check_templates
from neuroforge.errors import DataError
from neuroforge.scoring.sandbox import Sandbox


def check_scorable(config: ExperimentConfig, items: Sequence[DatasetItem], sandbox: Sandbox | None = None) -> None:
    """Return if every item can be rendered, asked and scored as the config wants.

    Args:
        items: As `experiments.items.load_items` gives them.
        sandbox: Where replies' code would run; tried if there is code. None = not here.
    Raises:
        DataError: No items; quality of an item that has neither reference nor judge; a judge without work;
            consistency of a single asking; templates and items that do not fit.
        SandboxUnavailable: Code cannot be run safely, and running it otherwise was not allowed.
    """
    if not items:
        raise DataError("there are no items to ask")
    _check_names(items)
    check_templates(config.prompts, items)
    scorers = scorers_of(config, items)
    if "quality" in config.metrics and config.judge is None and "judge" in scorers:
        without = [item.id for item in items if (config.scorer or item.scorer) == "judge"]
        raise DataError(
            f"quality: {len(without)} of {len(items)} items have neither reference nor tests (first: {without[0]!r}), "
            "and no judge is named; give references, set `judge`, or measure speed, consistency and cost only"
        )
    if config.judge is not None and "judge" not in scorers:
        raise DataError(
            f"judge: every item has a scorer of its own ({', '.join(sorted(scorers))}), so there is nothing for "
            f"{config.judge.model_id!r} to judge; set scorer to `judge`, or name no judge"
        )
    if "consistency" in config.metrics and config.repeats == 1 and not _has_paraphrases(items):
        raise DataError("consistency: needs repeats above 1, or items that share `paraphrase_of`")
    if sandbox is not None and "code" in scorers:
        sandbox.check()


def scorers_of(config: ExperimentConfig, items: Sequence[DatasetItem]) -> frozenset[ScorerName]:
    """Return what will judge replies: for what must be at hand, such as an embedder."""
    return frozenset(config.scorer or item.scorer for item in items)


def _check_names(items: Sequence[DatasetItem]) -> None:
    seen: set[tuple[str, str]] = set()
    for item in items:
        if (item.dataset, item.id) in seen:
            raise DataError(f"item {item.id!r} of {item.dataset} stands twice")
        seen.add((item.dataset, item.id))


def _has_paraphrases(items: Sequence[DatasetItem]) -> bool:
    sizes = Counter((item.dataset, item.paraphrase_of) for item in items if item.paraphrase_of is not None)
    return any(n > 1 for n in sizes.values())
