"""A mapping, as YAML, JSON or keyword arguments give it -> ExperimentConfig."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.errors import ConfigError
from neuroforge.settings_errors import explain

_MAX_TOLD = 5


def parse_config(values: Mapping[str, Any]) -> ExperimentConfig:
    """Return the checked configuration.

    Raises:
        ConfigError: Each wrong field with its path, what would be allowed, and the nearest name of an unknown one.
    """
    try:
        return ExperimentConfig.model_validate(dict(values))
    except ValidationError as error:
        found = [explain(one, ExperimentConfig) for one in error.errors(include_url=False)]
        more = f"; and {len(found) - _MAX_TOLD} more" if len(found) > _MAX_TOLD else ""
        raise ConfigError(f"experiment: {'; '.join(found[:_MAX_TOLD])}{more}") from error
