"""exp.yaml -> Experiment: short forms are written out, local files read, unknown keys named with the nearest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import (
    NAME_PATTERN,
    Budget,
    Decoding,
    ExperimentConfig,
    Form,
    Gate,
    Judge,
    PromptTemplate,
)
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.pipeline import Source
from neuroforge.datasets.read import SUFFIXES
from neuroforge.errors import ConfigError, NeuroForgeError, RequestError
from neuroforge.experiments.experiment import Experiment
from neuroforge.experiments.prompt_dataset import PromptDataset, load_prompt_dataset
from neuroforge.settings_errors import explain


class DatasetEntry(Contract):
    """One dataset; `mmlu:100` is short for `{name: mmlu, n: 100}`."""

    name: str = Field(min_length=1)
    """A registry dataset, or a .jsonl, .csv or .parquet file: relative paths count from the YAML file."""
    n: int | None = Field(default=None, ge=1)
    split: str | None = None
    seed: int | None = Field(default=None, ge=0)
    scorer: ScorerName | None = None
    """For rows of a file that name none."""
    fields: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Our columns by templates over the file's: `question: "{{ Frage }}"`."""
    label: str | None = Field(default=None, pattern=NAME_PATTERN)
    """What to call a file's items; None = the file's name."""
    form: Form = "plain"
    """Of a registry dataset: `published` asks as its publication does."""


def _as_datasets(value: Any) -> Any:
    given = value if isinstance(value, list | tuple) else [value]
    return [_as_dataset(one) for one in given]


def _as_dataset(one: Any) -> Any:
    if not isinstance(one, str):
        return one
    try:
        source = Source.parse(one)
    except NeuroForgeError as error:
        raise ValueError(error.message) from error
    return {"name": source.name, "n": source.n}


def _as_prompts(value: Any) -> Any:
    """A template; a list of them, called p1, p2, ...; or a mapping from names to templates or {template, system}."""
    if isinstance(value, str):
        return [{"template": value}]
    if isinstance(value, Mapping):
        return [_called(name, {"template": one} if isinstance(one, str) else one) for name, one in value.items()]
    if isinstance(value, list):
        return [{"name": f"p{n}", "template": one} if isinstance(one, str) else one for n, one in enumerate(value, 1)]
    return value


def _as_decodings(value: Any) -> Any:
    """A mapping from names to settings, or a list of settings with names."""
    return [_called(name, one or {}) for name, one in value.items()] if isinstance(value, Mapping) else value


def _called(name: Any, one: Any) -> Any:
    return {"name": str(name), **one} if isinstance(one, Mapping) else one


def _as_gates(value: Any) -> Any:
    from neuroforge.experiments.gate import parse_gate  # with the tests behind it: only for who has gates

    given = [value] if isinstance(value, str) else value
    try:
        return [parse_gate(one) if isinstance(one, str) else one for one in given]
    except RequestError as error:
        raise ValueError(error.message) from error


class ExperimentFile(Contract):
    """Everything that may stand in exp.yaml; what is not named has ExperimentConfig's default."""

    name: str = Field(pattern=NAME_PATTERN)
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    datasets: Annotated[tuple[DatasetEntry, ...], BeforeValidator(_as_datasets), Field(min_length=1)]
    prompts: Annotated[tuple[PromptTemplate, ...], BeforeValidator(_as_prompts), Field(min_length=1)] = (
        PromptTemplate(),
    )
    """By name: a template, or a mapping with `template` and `system`."""
    decodings: Annotated[tuple[Decoding, ...], BeforeValidator(_as_decodings)] = ()
    """By name: temperature, top_p, max_tokens, stop, seed."""
    repeats: int | None = None
    metrics: tuple[str, ...] = ("quality",)
    scorer: ScorerName | None = None
    choice_by: str | None = None
    judge: Judge | None = None
    budget: Budget | None = None
    concurrency: int | None = None
    seed: int | None = None
    planned: tuple[tuple[str, str], ...] = ()
    gates: Annotated[tuple[Gate, ...], BeforeValidator(_as_gates)] = ()
    """Such as `model_b >= model_a - 0.02`."""
    skip_bad_rows: bool = False
    allow_unsandboxed: bool = False
    use_cache: bool = True


_TAKEN_APART = frozenset({"name", "models", "datasets", "prompts", "metrics"})


def read_experiment(path: Path, gates: tuple[Gate, ...] = ()) -> Experiment:
    """Return what the file describes, with the items of local files read and checked.

    Args:
        gates: Beside those in the file.
    Raises:
        ConfigError: Not YAML, an unknown key (with the nearest), a wrong value: names the file and the key.
        DataError: A dataset's rows cannot be used.
    """
    given = _parse(path)
    datasets = tuple(_load(one, given, path.parent) for one in given.datasets)
    options: dict[str, Any] = {
        name: value
        for name in given.model_fields_set - _TAKEN_APART
        if name in ExperimentConfig.model_fields and (value := getattr(given, name)) not in (None, ())
    }
    if gates:
        options["gates"] = (*given.gates, *gates)
    return Experiment(given.name, models=given.models, prompts=datasets, metrics=given.metrics, **options)


def _parse(path: Path) -> ExperimentFile:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: an experiment is a mapping: name, models, datasets, ...")
    try:
        return ExperimentFile.model_validate(content)
    except ValidationError as error:
        told = [explain(one, ExperimentFile) for one in error.errors(include_url=False)]
        raise ConfigError(f"{path}: {'; '.join(told)}") from error


def _load(entry: DatasetEntry, given: ExperimentFile, directory: Path) -> PromptDataset:
    is_file = entry.name.lower().endswith(SUFFIXES)
    return load_prompt_dataset(
        directory / Path(entry.name).expanduser() if is_file else entry.name,
        templates=given.prompts,
        fields=entry.fields or None,
        n=entry.n,
        split=entry.split,
        seed=given.seed if entry.seed is None else entry.seed,
        scorer=entry.scorer,
        name=entry.label,
        form=entry.form,
        skip_bad_rows=given.skip_bad_rows,
    )
