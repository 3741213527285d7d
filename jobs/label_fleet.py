"""Run the hosted models over labelled questions, score them, write outcomes for the router to learn from.

    ray job submit --working-dir . -- python jobs/label_fleet.py --dataset mmlu:100 --out $HOME/o.parquet

Runs anywhere that reaches the gateway (`--url`, NEUROFORGE_URL; NEUROFORGE_API_KEY), inside a Ray job or not. Every
answer is kept as it comes in OUT.answers/answers.jsonl: killed, or stopped by `--max-seconds`, and run again with the
same arguments, it goes on where it was. Exit status 0: every question is answered by every model; 3: some are not yet
(time over, or failed); 1: it could not start. In a Ray job OUT must be an absolute path: the working directory is a
copy that goes away.
"""

import argparse
import sys
import time
from pathlib import Path

import neuroforge
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.scores import SCORER_NAMES
from neuroforge.datasets.ask import AskSettings
from neuroforge.datasets.fleet import LabelPlan, LabelResult, label_fleet
from neuroforge.datasets.pipeline import Source
from neuroforge.datasets.registry import REGISTRY
from neuroforge.datasets.report import Reporter, table
from neuroforge.errors import NeuroForgeError
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.settings import load_settings

INCOMPLETE = 3


def main() -> int:
    """Label, print, write."""
    options = _parse()
    try:
        result = _label(options)
    except NeuroForgeError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    print(table(result))
    if result.n_rows:
        print(f"written: {options.out}, {result.n_rows} questions")
    return INCOMPLETE if result.progress.n_left else 0


def _label(options: argparse.Namespace) -> LabelResult:
    plan = LabelPlan(
        sources=tuple(Source.parse(one) for one in options.dataset),
        out=options.out,
        model_ids=tuple(options.models),
        settings=AskSettings(
            temperature=options.temperature,
            seed=options.seed,
            max_tokens=options.max_tokens,
            is_choice_by_logprob=options.choice_by == "logprob",
        ),
        sample_seed=options.seed,
        concurrency=options.concurrency,
        max_s=options.max_seconds,
        default_scorer=options.scorer,
        is_strict=not options.skip_bad_rows,
        is_rescored=options.rescore,
    )
    assets = AssetStore(load_settings().storage.home)
    with neuroforge.connect(options.url) as client:
        client.wait_ready(options.wait_s)
        sandbox = Sandbox(allow_unsandboxed=options.allow_unsandboxed)
        return label_fleet(plan, client, assets, sandbox, Reporter(_tell, time.monotonic))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dataset",
        action="append",
        required=True,
        metavar="NAME[:N]",
        help=f"N questions (default: all) of {', '.join(REGISTRY)}, or of a .jsonl, .csv or .parquet file; repeatable",
    )
    parser.add_argument("--out", type=Path, required=True, help="outcome file, .parquet or .jsonl")
    parser.add_argument("--url", help="the gateway; default: NEUROFORGE_URL, else the server on this machine")
    parser.add_argument("--models", nargs="*", default=[], help="ids; default: all that can chat")
    parser.add_argument("--concurrency", type=_positive, help="calls at once; default: each model's own slots")
    parser.add_argument("--max-seconds", type=float, help="start no call after this time; run it again for the rest")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of questions and of decoding")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, help="of every answer; default: what each question says")
    parser.add_argument("--choice-by", choices=("text", "logprob"), default="text", help="how choices are read")
    parser.add_argument("--scorer", choices=SCORER_NAMES, help="for rows of a file that name none")
    parser.add_argument("--skip-bad-rows", action="store_true", help="leave unusable rows of a file out")
    parser.add_argument("--rescore", action="store_true", help="judge the kept replies again")
    parser.add_argument("--allow-unsandboxed", action="store_true", help="run code without a sandbox if there is none")
    parser.add_argument("--wait-s", type=float, default=120.0, help="how long to wait until the fleet is ready")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
