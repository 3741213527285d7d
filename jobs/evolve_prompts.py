"""Optimise a prompt on the models that a gateway serves, from a task file; the search is driven by Ray Tune.

    ray job submit --working-dir . -- python jobs/evolve_prompts.py task.yaml --out /data/run

The run lives in the directory, on the node where the job runs: stopped and submitted again it goes on, and no answered
call is made twice. Exit status 0: it ended (the result says whether a better prompt was proven); 1: it could not start.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import ray

import neuroforge
from cluster.cells import GatewayAddress
from cluster.cli.optimize import print_result
from cluster.cli.optimize_progress import OptimizeLine, print_plan
from cluster.environment import FEW_WORDS, QUIET, SHORT_TRACKING, apply_environment
from cluster.tracking import open_tracker
from cluster.tune import TuneDriver
from neuroforge.assets.store import AssetStore
from neuroforge.client.locate import find_key, find_url
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.errors import ConfigError, NeuroForgeError
from neuroforge.prompts.attempts import attempts_of
from neuroforge.prompts.deliver import Outlets
from neuroforge.prompts.run import OptimizationRun, plan_optimization, run_optimization
from neuroforge.prompts.task_file import read_task
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.settings import load_settings


def main() -> int:
    """Run, print."""
    options = _parse()
    apply_environment(QUIET | SHORT_TRACKING | FEW_WORDS)
    try:
        config = read_task(options.file, {"target_model": options.model})
        _connect()
        result = asyncio.run(_run(config, options))
    except NeuroForgeError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    print_result(result, options.out)
    return 0


def _connect() -> None:
    try:
        ray.init(address="auto", log_to_driver=False, logging_level="warning")
    except ConnectionError as error:
        raise ConfigError(
            "no Ray cluster is known here: start this by `ray job submit`, or use `neuroforge optimize`"
        ) from error


async def _run(config: OptimizeConfig, options: argparse.Namespace) -> OptimizationResult:
    settings = load_settings(options.config)
    assets = AssetStore(settings.storage.home)
    drive = TuneDriver(GatewayAddress(find_url(options.url), find_key(None)))
    async with neuroforge.connect_async(options.url) as client:
        await client.wait_ready(options.wait_s)
        outlets = Outlets(client.prompts, open_tracker(settings))
        attempts = attempts_of(settings.storage.home)
        show = OptimizeLine().show
        needed = OptimizationRun(client, assets, Sandbox(), options.out, attempts, show, drive, outlets=outlets)
        print_plan(await plan_optimization(config, needed))
        return await run_optimization(config, needed)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="task as YAML: name, prompt, dataset, target_model, budget, ...")
    parser.add_argument("--out", type=Path, required=True, help="directory of the run")
    parser.add_argument("--model", help="instead of the file's target_model")
    parser.add_argument("--url", help="the gateway; default: NEUROFORGE_URL, else the server on this machine")
    parser.add_argument("--config", type=Path, help="settings file; else the first of the usual places")
    parser.add_argument("--wait-s", type=float, default=120.0, help="how long to wait until the fleet is ready")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
