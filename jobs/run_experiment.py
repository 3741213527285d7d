"""Run an experiment on the server, from its YAML file, and tell what was found.

    ray job submit --working-dir . -- python jobs/run_experiment.py exp.yaml --gate "model_b >= model_a - 0.02"

Runs anywhere that reaches the gateway (`--url`, NEUROFORGE_URL; NEUROFORGE_API_KEY of scope admin), in a Ray job or
not. The work is the server's: the matrix runs on Ray Data beside the head, and a job that is stopped stops it, so that
it can be resumed. A stop while the experiment is being started waits until it has an id. A job that is killed leaves
it to the server; the key that it printed before (`--key KEY`) finds it again, at whatever moment that was, and goes on.
Exit status 0: done; 4: a gate does not hold; 3: cells are open still; 1: it could not start.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import neuroforge
from cluster.cli.experiment_progress import ProgressLine, print_estimate
from cluster.cli.experiment_results import print_analysis
from cluster.cli.experiment_run import GATE_FAILED, INCOMPLETE
from neuroforge.client import Client
from neuroforge.contracts.runs import new_start_key
from neuroforge.errors import ConflictError, NeuroForgeError
from neuroforge.experiments import Experiment
from neuroforge.experiments.experiment_file import read_experiment
from neuroforge.experiments.gate import parse_gate


def main() -> int:
    """Run, print, report."""
    options, stop = _parse(), _Stop()
    signal.signal(signal.SIGTERM, stop)  # `ray job stop`
    signal.signal(signal.SIGINT, stop)
    try:
        experiment = read_experiment(options.file, tuple(parse_gate(text) for text in options.gate))
        with neuroforge.connect(options.url) as client:
            client.wait_ready(options.wait_s)
            print_estimate(client.experiments.estimate(experiment))
            return _run(client, experiment, stop, options)
    except NeuroForgeError as error:
        print(f"error: {error.message}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; nothing was started", file=sys.stderr)
    return 1


class _Stop:
    """What signals do: they end the waiting, but not a start, for an experiment whose id nobody heard runs on."""

    def __init__(self) -> None:
        self._is_held = self._is_wanted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_held:
            raise KeyboardInterrupt
        self._is_wanted = True
        print("stopping as soon as the experiment has an id", file=sys.stderr, flush=True)

    def hold(self) -> None:
        """Let signals wait."""
        self._is_held = True

    def release(self) -> None:
        """Raise KeyboardInterrupt for a signal that came meanwhile, and for those to come."""
        self._is_held = False
        if self._is_wanted:
            raise KeyboardInterrupt


def _run(client: Client, experiment: Experiment, stop: _Stop, options: argparse.Namespace) -> int:
    key = options.key or new_start_key()
    print(f"start key: {key}", file=sys.stderr, flush=True)
    stop.hold()
    experiment_id = _start(client, experiment, key)
    print(experiment_id, flush=True)
    line = ProgressLine()
    try:
        stop.release()
        client.experiments.wait(experiment_id, line.show)
        line.close()
        return _tell(client, experiment_id, options.report)
    except KeyboardInterrupt:
        _cancel(client, experiment_id)
        return INCOMPLETE


def _start(client: Client, experiment: Experiment, key: str) -> str:
    """Return the id of the experiment that the key began, or begins now; one that was stopped goes on."""
    started = client.experiments.start(experiment, key)
    if started.state in ("cancelled", "failed"):
        client.experiments.resume(started.id)
    return started.id


def _tell(client: Client, experiment_id: str, report: Path | None) -> int:
    outcome = client.experiments.outcome(experiment_id)
    print_analysis(outcome.status, outcome.analysis)
    if report is not None:
        client.experiments.report(experiment_id, report)
    if any(not gate.holds for gate in outcome.analysis.gates):
        return GATE_FAILED
    return INCOMPLETE if outcome.status.state == "interrupted" else 0


def _cancel(client: Client, experiment_id: str) -> None:
    try:
        client.experiments.cancel(experiment_id)
        told = f"stopped; go on with: neuroforge experiment resume {experiment_id}"
    except ConflictError as error:  # it had ended
        told = f"{error.message}; see it by: neuroforge experiment show {experiment_id}"
    print(told, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="experiment as YAML: name, models, datasets, prompts, metrics, ...")
    parser.add_argument("--gate", action="append", default=[], help="`model_b >= model_a - 0.02`; repeatable")
    parser.add_argument("--report", type=Path, help="where to write the report, .html or .md")
    parser.add_argument(
        "--key", help="what an earlier, killed job printed as its start key: goes on with its experiment"
    )
    parser.add_argument("--url", help="the gateway; default: NEUROFORGE_URL, else the server on this machine")
    parser.add_argument("--wait-s", type=float, default=120.0, help="how long to wait until the fleet is ready")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
