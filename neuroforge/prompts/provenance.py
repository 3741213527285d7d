"""What a run needs to be run again, beside its configuration: which examples, which versions, which weights."""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.prompts.ask import Target

_PACKAGES = ("neuroforge", "numpy", "scipy", "pyarrow")
ID_DIGITS = 16
"""Of a SHA-256 that names a configuration or an item."""


def run_id(config: OptimizeConfig) -> str:
    """Return the same id for the same configuration: name and 16 digits of its SHA-256."""
    return f"{config.name}-{hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:ID_DIGITS]}"


def hash_items(items: Sequence[DatasetItem]) -> str:
    """Return the SHA-256 of the items in their order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.model_dump_json().encode() + b"\n")
    return digest.hexdigest()


def fingerprint(item: DatasetItem) -> str:
    """Return what tells the item from others in every run: 16 digits of the SHA-256 of what is asked.

    Its id, its references, case and spaces make no difference.
    """
    asked = [" ".join(item.query.split()).casefold(), item.choices, item.messages]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]


def find_versions(target: Target) -> dict[str, str]:
    """Return versions of packages, and the digest of the target's weights."""
    found = {name: version(name) for name in _PACKAGES}
    found["python"] = platform.python_version()
    found[f"weights of {target.model_id}"] = target.digest or "unknown: known by its name only"
    return found
