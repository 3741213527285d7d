"""`python -m tests.benchmarks.run_router [names] [--data DIR]`: the router's figures; 1 when one misses its target."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from neuroforge.assets.store import AssetStore
from neuroforge.router.embedder import StaticEmbedder, load_embedder
from tests.benchmarks import router_million, router_offline, router_online, router_placing
from tests.benchmarks.figures import Figure, check_names, run_all
from tests.benchmarks.run import ASSETS_HOME

EMBEDDER = "potion-base-8m"
Driver = Callable[[Path | None, StaticEmbedder], list[Figure]]
DRIVERS: dict[str, Driver] = {
    "router": router_offline.run,
    "router_online": router_online.run,
    "router_placing": router_placing.run,
    "router_million": lambda _data, embedder: router_million.run(embedder),
    "router_losses": lambda _data, embedder: router_million.run_losses(embedder),
}


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.run_router", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of: {', '.join(DRIVERS)}")
    parser.add_argument("--data", type=Path, help="directory of the public outcome sets; without it data are generated")
    given = parser.parse_args(words)
    check_names(parser, given.names, DRIVERS)
    if given.data is not None and not given.data.is_dir():
        parser.error(f"--data {given.data}: no such directory")
    embedder = load_embedder(AssetStore(ASSETS_HOME.absolute()).ensure(EMBEDDER))
    return run_all(given.names or DRIVERS, lambda name: DRIVERS[name](given.data, embedder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
