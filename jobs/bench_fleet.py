"""Measure every model of a running fleet: time to first token, tokens a second, memory; a table and a Parquet file.

    ray job submit --working-dir . -- python jobs/bench_fleet.py --out fleet.parquet

Runs anywhere that reaches the gateway (`--url`, NEUROFORGE_URL; NEUROFORGE_API_KEY), inside a Ray job or not.
"""

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import neuroforge
from neuroforge.client import Client
from neuroforge.contracts.models import ModelState, ModelStatus
from neuroforge.errors import NeuroForgeError

PROMPT = "List the planets of the solar system with one fact about each."


@dataclass(frozen=True)
class Row:
    """One model at one number of parallel streams; None where nothing was measured, with the reason in `error`."""

    model_id: str
    engine: str
    n_streams: int
    n_tokens: int
    ttft_p50_s: float | None
    ttft_max_s: float | None
    tokens_per_s: float | None
    """All streams together, from the first request to the last token."""
    resident_bytes: int | None
    error: str | None


def main() -> int:
    """Measure, print, write; 1 if no model could be measured."""
    options = _parse()
    with neuroforge.connect(options.url) as client:
        client.wait_ready(options.wait_s)
        models = [model for model in client.models() if not options.models or model.id in options.models]
        rows = []
        for model in models:
            for n_streams in options.streams:
                print(f"measuring {model.id} at {n_streams} stream(s) ...", file=sys.stderr, flush=True)
                rows.append(measure(client, model, n_streams, options.max_tokens))
    print(table(rows))
    if options.out:
        pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), options.out)
        print(f"written: {options.out}")
    return 0 if any(row.error is None for row in rows) else 1


def measure(client: Client, model: ModelStatus, n_streams: int, max_tokens: int) -> Row:
    """Return what `n_streams` equal requests at once got; a model that cannot answer becomes a row with its error."""
    try:
        if model.state != ModelState.READY:
            _stream_once(client, model.id, 1)
        started_s = time.perf_counter()
        with ThreadPoolExecutor(n_streams) as pool:
            answers = list(pool.map(lambda _: _stream_once(client, model.id, max_tokens), range(n_streams)))
        took_s = time.perf_counter() - started_s
    except NeuroForgeError as error:
        return Row(model.id, model.engine, n_streams, 0, None, None, None, None, f"{error.code}: {error.message}")
    n_tokens = sum(n for _, n in answers)
    ttfts_s = [ttft_s for ttft_s, _ in answers]
    resident = next((one.stats.resident_bytes for one in client.models() if one.id == model.id and one.stats), None)
    return Row(
        model_id=model.id,
        engine=model.engine,
        n_streams=n_streams,
        n_tokens=n_tokens,
        ttft_p50_s=statistics.median(ttfts_s),
        ttft_max_s=max(ttfts_s),
        tokens_per_s=n_tokens / took_s,
        resident_bytes=resident,
        error=None,
    )


def _stream_once(client: Client, model_id: str, max_tokens: int) -> tuple[float, int]:
    started_s = time.perf_counter()
    ttft_s, n_tokens = None, 0
    for chunk in client.stream(PROMPT, model=model_id, max_tokens=max_tokens, temperature=0):
        if ttft_s is None and chunk.get("choices"):
            ttft_s = time.perf_counter() - started_s
        if usage := chunk.get("usage"):
            n_tokens = int(usage["completion_tokens"])
    return ttft_s if ttft_s is not None else time.perf_counter() - started_s, n_tokens


def table(rows: list[Row]) -> str:
    """Return the rows as text for a terminal or a job's log."""
    lines = [f"{'model':32} {'streams':>7} {'TTFT p50':>10} {'TTFT max':>10} {'tokens/s':>9} {'memory':>9}"]
    for row in rows:
        if row.ttft_p50_s is None or row.ttft_max_s is None or row.tokens_per_s is None:
            lines.append(f"{row.model_id:32} {row.n_streams:>7} {row.error}")
            continue
        memory = "-" if row.resident_bytes is None else f"{row.resident_bytes / 2**20:.0f} MiB"
        lines.append(
            f"{row.model_id:32} {row.n_streams:>7} {row.ttft_p50_s * 1e3:>7.0f} ms {row.ttft_max_s * 1e3:>7.0f} ms "
            f"{row.tokens_per_s:>9.1f} {memory:>9}"
        )
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the gateway; default: NEUROFORGE_URL, else the server on this machine")
    parser.add_argument("--models", nargs="*", default=[], help="ids; default: all")
    parser.add_argument("--streams", nargs="*", type=int, default=[1, 4], help="numbers of parallel streams")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--wait-s", type=float, default=120.0, help="how long to wait until the fleet is ready")
    parser.add_argument("--out", type=Path, help="Parquet file to write")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
