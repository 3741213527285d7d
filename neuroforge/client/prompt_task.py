"""A prompt and examples, as callers have them -> what is sent: an OptimizeConfig, and the items to upload before."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.datasets.items_file import digest_of, dump_items
from neuroforge.datasets.pipeline import Source
from neuroforge.datasets.registry import REGISTRY
from neuroforge.experiments.prompt_dataset import PromptDataset, load_prompt_dataset
from neuroforge.prompts.task_file import parse_task

Examples = str | Path | PromptDataset | Iterable[Mapping[str, Any] | DatasetItem]
"""A registry dataset (`commonsenseqa:300`), a file, what `load_prompt_dataset` made, or rows."""


def as_config(
    prompt: str | PromptProgram, target_model: str | None, examples: Examples | None, options: Mapping[str, Any]
) -> OptimizeConfig:
    """Return the configuration; `options` are its other fields.

    Raises:
        DataError: A field that is wrong or unknown (names the nearest), or rows that cannot be used (says which).
    """
    unnamed = {} if "name" in options else {"name": "prompt", "promote": False}  # nobody could ask for it by name
    fields = {**unnamed, **options, "target_model": target_model}
    fields["program" if isinstance(prompt, PromptProgram) else "prompt"] = prompt
    if isinstance(examples, str | Path):
        named = Source.parse(str(examples))
        fields["dataset"] = {"name": named.name, "n": named.n}
    elif isinstance(examples, PromptDataset) and not examples.items:
        fields["dataset"] = examples.source
    elif isinstance(examples, PromptDataset):
        fields["items"] = examples.items
    elif examples is not None:
        fields["items"] = load_prompt_dataset(examples, scorer=options.get("metric")).items
    return parse_task(fields, "optimize_prompt")


def with_uploads(config: OptimizeConfig) -> tuple[OptimizeConfig, Mapping[str, bytes]]:
    """Return the configuration as a server takes it, and items by SHA-256: its own, or those of a file that lies here.

    Raises:
        DataError: The file cannot be used, or the name is neither a file nor a registry dataset (names the nearest).
    """
    source, items = config.dataset, config.items
    if source is not None and source.uploaded is None and source.name not in REGISTRY:
        read = load_prompt_dataset(
            Path(source.name), n=source.n, split=source.split, seed=source.seed, scorer=config.metric
        )
        items = read.items
    if not items:
        return config, {}
    content = dump_items(items)
    digest = digest_of(content)
    name = config.name if source is None else Path(source.name).name
    told = {one: getattr(config, one) for one in config.model_fields_set if one != "items"}
    return OptimizeConfig(**{**told, "dataset": DatasetSource(name=name, uploaded=digest)}), {digest: content}
