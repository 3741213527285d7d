"""What a prompt search takes beside the calls of models: on an engine of fixed latency, and with SmolLM2 served.

Each once driven in the process itself and once by Ray Tune. Of the engine of fixed latency it is known how long calls
take with all slots full; of SmolLM2 a proxy before the gateway measures how long no call was open.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from neuroforge.assets.store import AssetStore
from neuroforge.client import AsyncClient
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.ask import ItemAsker, Target
from neuroforge.prompts.directory import STATE
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.run import reply_scorer
from neuroforge.prompts.search import SearchDriver, search
from neuroforge.prompts.space import build_space
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.storage.files import write_whole
from tests.benchmarks.busy_proxy import busy_proxy, seen_by
from tests.benchmarks.engine import SPEC
from tests.benchmarks.experiment_matrix import MODEL, engine, own_ray, questions
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.fixed_server import EMBEDDER
from tests.benchmarks.run import ASSETS_HOME
from tests.search_process import SearchCommand, config
from tests.server import serving

MOST_S_A_CANDIDATE = 0.3
MOST_SHARE_BESIDE = 0.10
N_SLOTS, LATENCY_S = 32, 0.1
POPULATION, N_GENERATIONS, BLOCK = 192, 6, 10
N_SMALL_CALLS = 300


def run() -> list[Figure]:
    """Measure both."""
    with tempfile.TemporaryDirectory(prefix="nf-bench-") as home:
        return [*fixed(Path(home)), *small(Path(home))]


def fixed(home: Path) -> list[Figure]:
    """A thousand candidates on answers that take 100 ms at 32 slots."""
    from cluster.cells import GatewayAddress
    from cluster.tune import TuneDriver

    figures = []
    with engine(N_SLOTS, LATENCY_S) as url, own_ray():
        for name, drive in (("in the process", search), ("by Ray Tune", TuneDriver(GatewayAddress(url)))):
            seconds, state = asyncio.run(_search(home / name.replace(" ", "-"), url, drive))
            n_candidates = len({one.candidate_id for one in state.evaluations})
            beside_s = (seconds - state.n_calls * LATENCY_S / N_SLOTS) / n_candidates
            figures += [
                at_most(f"time a candidate beside calls, driven {name}", beside_s, "s", MOST_S_A_CANDIDATE),
                at_least("  candidates evaluated", n_candidates, "candidates", 1000),
                Figure("  calls", state.n_calls, "calls"),
                Figure("  whole search", seconds, "s"),
            ]
    return figures


async def _search(directory: Path, url: str, drive: SearchDriver) -> tuple[float, EvolutionState]:
    items = {item.id: item for item in questions(6 * BLOCK)}
    ids = tuple(items)
    blocks = [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)]
    seed = PromptProgram(instruction="Answer the question by yes or no.")
    pool = [Demonstration(question=f"Is {k} odd?", answer=("no", "yes")[k % 2], item_id=f"p{k}") for k in range(40)]
    settings = EvolutionSettings(
        population=POPULATION, max_generations=N_GENERATIONS, patience=N_GENERATIONS, min_gain=0.0
    )
    one = PromptEvolutionEngine.begin(settings, build_space(seed, list(items.values()), 8), blocks, seed, pool)
    log = ResultLog(directory / RESULTS, time.monotonic)
    async with AsyncClient(url) as client:
        asker = ItemAsker(client, Target(MODEL), reply_scorer(Sandbox()), asyncio.sleep)
        evaluator = Evaluator(asker, items, log, N_SLOTS)
        begun_s = time.perf_counter()
        await drive(
            one, evaluator, None, lambda state: write_whole(directory / STATE, state.model_dump_json().encode())
        )
        seconds = time.perf_counter() - begun_s
    log.close()
    return seconds, one.state


def small(home: Path) -> list[Figure]:
    """A whole optimisation of 300 calls with SmolLM2 behind the gateway, from its first call to its result."""
    store = AssetStore(ASSETS_HOME.absolute())
    store.ensure(EMBEDDER)
    store.ensure(SPEC.id)
    settings = {"models": [SPEC.model_dump(mode="json", exclude_defaults=True)]}
    wanted = config(target_model=SPEC.id, proposers=(), budget=Budget(max_calls=N_SMALL_CALLS))
    figures = []
    with serving(home / "home", store.directory, settings) as server, busy_proxy(server.base_url) as proxy:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(server.home / "ray-token")}
        environment = {**os.environ, **token, "RAY_ADDRESS": server.state["ray_address"]}
        for name, slots in (("in the process", None), ("by Ray Tune", 64)):
            seen_by(proxy)
            command = SearchCommand(home / f"small-{slots}", proxy, wanted, environment, slots)
            seconds, _ = command.finish(timeout_s=400.0)
            seen = seen_by(proxy)
            share = 1.0 - seen["busy_s"] / seconds
            figures += [
                at_most(f"time without a call of SmolLM2, driven {name}", share, "share", MOST_SHARE_BESIDE),
                Figure("  calls", seen["n_calls"], "calls"),
                Figure("  whole run", seconds, "s"),
            ]
    return figures
