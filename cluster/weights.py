"""ModelSpec -> the file of its weights, what its header says, and what tells these weights from others."""

import hashlib
from pathlib import Path

from neuroforge.assets.facts import read_facts
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.assets import ModelFacts
from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import AssetNotFound, ConfigError


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


def weights_digest(store: AssetStore, spec: ModelSpec) -> str | None:
    """Return what changes when the weights do; None of an upstream, and of files that are not hashed or away.

    Of a catalog entry its SHA-256, of one with several files that of all of theirs, so the same on every machine. Of a
    path, since hashing it would take as long as reading it: of the files' names, sizes and times of change.
    """
    if spec.asset_name is not None:
        try:
            hashes = [file.sha256 for file in store.entry(spec.asset_name).files]
        except AssetNotFound:
            return None
        if None in hashes:
            return None
        return hashes[0] if len(hashes) == 1 else _digest(*(str(one) for one in hashes))
    if spec.path is None:
        return None
    path = Path(spec.path).expanduser()
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        facts = [(one.name, one.stat()) for one in files]
    except OSError:
        return None
    return _digest(*(f"{name} {fact.st_size} {fact.st_mtime_ns}" for name, fact in facts))


def _digest(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
