"""ExperimentPlan and items.jsonl -> what a rerun needs beside the configuration."""

import hashlib
import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.experiments.item_lines import ITEMS_FILE, read_items

_PACKAGES = ("neuroforge", "numpy", "scipy", "statsmodels", "pyarrow")


def find_provenance(plan: ExperimentPlan) -> dict[str, str]:
    """Return versions, seeds, digests of weights, and of each dataset the number and SHA-256 of its items, in order.

    Raises:
        DataError: The items cannot be read.
    """
    found = {f"version of {name}": version(name) for name in _PACKAGES}
    found["version of python"] = platform.python_version()
    found["seed"] = str(plan.config.seed)
    found.update({f"seed of decoding {one.name}": str(one.seed) for one in plan.config.decodings})
    for model in plan.models:
        found[f"weights of {model.model_id}"] = model.digest or "unknown: known by its name only"
    return found | _hash_datasets(Path(plan.directory) / ITEMS_FILE)


def _hash_datasets(path: Path) -> dict[str, str]:
    digests: dict[str, hashlib._Hash] = {}
    counts: Counter[str] = Counter()
    for line, item in read_items(path):
        digests.setdefault(item["dataset"], hashlib.sha256()).update(line)
        counts[item["dataset"]] += 1
    return {
        f"dataset {name}": f"{counts[name]:,} items, sha256 {digest.hexdigest()}" for name, digest in digests.items()
    }
