"""Fit a router on an outcome file, and test it on another if there is one.

    ray job submit --working-dir . -- python jobs/train_router.py --outcomes /data/train.parquet --out /data/router

Paths are those of the node that runs the job. The embedder is fetched at the first use.
"""

import argparse
import sys
from pathlib import Path

from neuroforge.assets.store import AssetStore
from neuroforge.errors import NeuroForgeError
from neuroforge.router.embedder import load_embedder
from neuroforge.router.fit.report import describe
from neuroforge.router.fit.run import evaluate_files, fit_outcome_file
from neuroforge.settings import load_settings


def main() -> int:
    """Fit, write, report; 1 when the file or the directory cannot be used."""
    options = _parse()
    try:
        settings = load_settings(options.config)
        embedder = load_embedder(AssetStore(settings.storage.home).ensure(settings.router.embedder))
        fitted = fit_outcome_file(options.outcomes, options.out, embedder, _tell)
        print(fitted.model_dump_json(indent=2))
        if options.test is not None:
            print("\n".join(describe(evaluate_files(options.outcomes, options.test, embedder, _tell))))
    except NeuroForgeError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


def _tell(what: str, n_done: int, n_all: int) -> None:
    print(f"{what}: {n_done} of {n_all}", file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outcomes", type=Path, required=True, help="Parquet or JSONL: query, scores, costs, task")
    parser.add_argument("--out", type=Path, required=True, help="router directory")
    parser.add_argument("--test", type=Path, help="outcome file to test on")
    parser.add_argument("--config", type=Path, help="settings file; else the first of the usual places")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
