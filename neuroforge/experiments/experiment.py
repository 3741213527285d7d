"""What a user writes: Experiment(name, models, prompts, metrics) -> ExperimentConfig and the items to upload."""

from collections.abc import Mapping, Sequence
from typing import Any

from neuroforge.contracts.experiments import Decoding, ExperimentConfig
from neuroforge.errors import ConfigError
from neuroforge.experiments.check import check_scorable
from neuroforge.experiments.config import parse_config
from neuroforge.experiments.prompt_dataset import PromptDataset

SAMPLED = Decoding(name="sampled", temperature=0.7)
N_REPEATS = 3


class Experiment:
    """A question to the server: which model or prompt is better, for this data. Holds no connection and runs nothing.

    Asking for `consistency` without saying how means 3 repeats at temperature 0.7: a model that is asked greedily says
    the same every time, which would measure nothing. `repeats` and `decodings` overrule that.
    """

    def __init__(
        self,
        name: str,
        *,
        models: Sequence[str],
        prompts: PromptDataset | Sequence[PromptDataset],
        metrics: Sequence[str] = ("quality",),
        **options: Any,
    ) -> None:
        """Args:
            models: Ids, as the server lists them.
            prompts: From `load_prompt_dataset`; several must have the same templates.
            metrics: quality, speed, consistency, cost.
            options: The other fields of ExperimentConfig: repeats, decodings, judge, budget, planned, gates, ...

        Raises:
            ConfigError: A field that is wrong or unknown; names what would be allowed.
            DataError: Uploaded items that nothing could score, or that a template does not fit.
        """
        datasets = (prompts,) if isinstance(prompts, PromptDataset) else tuple(prompts)
        if not datasets:
            raise ConfigError("experiment: prompts must hold at least one dataset")
        if any(one.templates != datasets[0].templates for one in datasets):
            raise ConfigError(
                "experiment: every prompt is put to every item, so all datasets must have the same templates"
            )
        implied: dict[str, Any] = {}
        if "consistency" in metrics and not {"repeats", "decodings"} & set(options):
            implied = {"repeats": N_REPEATS, "decodings": (SAMPLED,)}
        given = {
            "name": name,
            "models": tuple(models),
            "datasets": tuple(one.source for one in datasets),
            "prompts": datasets[0].templates,
            "metrics": tuple(metrics),
        }
        self.config: ExperimentConfig = parse_config({**implied, **options, **given})
        self.uploads: Mapping[str, bytes] = {
            one.source.uploaded: content
            for one in datasets
            if one.source.uploaded is not None and (content := one.content) is not None
        }
        """Items by SHA-256, to be sent before the configuration."""
        self.left_out: tuple[str, ...] = tuple(f"{one.source.name}: {row}" for one in datasets for row in one.problems)
        """Unusable rows of uploaded files, with line and column, where `skip_bad_rows` allowed them."""
        items = tuple(item for one in datasets for item in one.items)
        if all(one.items for one in datasets):  # else the server, which has all of them, checks
            check_scorable(self.config, items)
