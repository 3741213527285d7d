"""ModelSpec -> the file of its weights and what its header says."""

from pathlib import Path

from neuroforge.assets.facts import read_facts
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.assets import ModelFacts
from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import ConfigError


def weights_path(store: AssetStore, spec: ModelSpec) -> Path:
    """Return the model's file or directory, fetched if it is a catalog entry that is not here yet.

    Raises:
        ConfigError: A path that is not there.
        AssetError: The asset cannot be had.
    """
    if spec.asset_name is not None:
        return store.ensure(spec.asset_name)
    path = Path(spec.path or "").expanduser()
    if not path.exists():
        raise ConfigError(f"models.{spec.id}.path: {path} does not exist")
    return path


def model_facts(store: AssetStore, spec: ModelSpec) -> ModelFacts:
    """Return what the header says; fetches as `weights_path` does.

    Raises:
        DataError: The file is not a model.
    """
    return read_facts(weights_path(store, spec))
