"""What the gateway costs beside a bare pair of Starlette applications: latency and requests a second, as ratios.

Blocks of bare pair and gateway alternate in one run; each ratio is the median over neighbouring blocks, so that other
work on the machine hits both. The load is a closed loop from another process.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.figures import Figure, at_most, median_ratio
from tests.benchmarks.fixed_server import bare_target, fixed_target, gateway_target, serving_fixed
from tests.benchmarks.litellm_proxy import serving_litellm
from tests.benchmarks.load import Load, Target, press, tool
from tests.server import RunningServer

CONCURRENCIES = (1, 4, 16)
N_BLOCKS = 5
BLOCK_S = 4.0
WARM_UP_S = 3.0
MOST_RATIO = 1.5
LITELLM_FLOOR = 0.1
"""Of LiteLLM's latency side by side: what we accept at most."""
Blocks = dict[tuple[str, int], list[Load]]


def run(home: Path, assets_home: Path, with_litellm: bool) -> list[Figure]:
    """Measure; see the module docstring."""
    with serving_fixed(home, assets_home) as server, _litellm_target(server, home, with_litellm) as litellm:
        targets = {"bare": bare_target(server), "gateway": gateway_target(server)}
        blocks = _alternate(targets | litellm)
    figures = [Figure(f"load client is wrk ({tool()})", float(tool() == "wrk"), "bool")]
    for concurrency in CONCURRENCIES:
        figures += _ratios(blocks, concurrency) + _medians(blocks, concurrency)
    return figures


@contextmanager
def _litellm_target(server: RunningServer, home: Path, with_litellm: bool) -> Iterator[dict[str, Target]]:
    if not with_litellm:
        yield {}
        return
    upstream = fixed_target(server).url.removesuffix("/chat/completions")
    with serving_litellm(home / "litellm", upstream) as target:
        yield {"litellm": target}


def _alternate(targets: dict[str, Target]) -> Blocks:
    blocks: Blocks = {}
    for target in targets.values():
        press(target, CONCURRENCIES[-1], WARM_UP_S)
    for concurrency in CONCURRENCIES:
        for _ in range(N_BLOCKS):
            for name, target in targets.items():
                blocks.setdefault((name, concurrency), []).append(press(target, concurrency, BLOCK_S))
    return blocks


def _ratios(blocks: Blocks, concurrency: int) -> list[Figure]:
    bare, ours = blocks["bare", concurrency], blocks["gateway", concurrency]
    at = f"at concurrency {concurrency}"
    figures = [
        at_most(f"p50 {at}, gateway / bare pair", _ratio(ours, bare, _p50), "ratio", MOST_RATIO),
        at_most(f"p95 {at}, gateway / bare pair", _ratio(ours, bare, _p95), "ratio", MOST_RATIO),
        at_most(f"requests a second {at}, bare pair / gateway", _ratio(bare, ours, _rate), "ratio", MOST_RATIO),
    ]
    if other := blocks.get(("litellm", concurrency)):
        figures += [
            at_most(f"p50 {at}, gateway / LiteLLM", _ratio(ours, other, _p50), "ratio", LITELLM_FLOOR),
            at_most(f"requests a second {at}, LiteLLM / gateway", _ratio(other, ours, _rate), "ratio", LITELLM_FLOOR),
        ]
    return figures


def _medians(blocks: Blocks, concurrency: int) -> list[Figure]:
    figures = []
    for (name, at), loads in blocks.items():
        if at == concurrency:
            where = f"{name} at concurrency {concurrency}"
            figures += [
                Figure(f"p50, {where}", statistics.median(map(_p50, loads)) * 1e3, "ms"),
                Figure(f"p95, {where}", statistics.median(map(_p95, loads)) * 1e3, "ms"),
                Figure(f"rate, {where}", statistics.median(map(_rate, loads)), "requests/s"),
            ]
    return figures


def _ratio(ours: list[Load], other: list[Load], read: Callable[[Load], float]) -> float:
    return median_ratio([read(one) for one in ours], [read(one) for one in other])


def _p50(load: Load) -> float:
    return load.p50_s


def _p95(load: Load) -> float:
    return load.p95_s


def _rate(load: Load) -> float:
    return load.per_second
