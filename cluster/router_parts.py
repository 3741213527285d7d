"""The learned router of one gateway replica, and what it shares with the learner: the embedder's files."""

import time

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.ports import Metrics
from neuroforge.router.embedder import StaticEmbedder, load_embedder
from neuroforge.router.fit_bytes import load_router_bytes
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from neuroforge.settings import RouterSettings


def build_router(settings: RouterSettings, metrics: Metrics) -> LearnedRouter:
    """Return a router that knows nothing yet: embedder and snapshots come with its exchange."""
    options = RouterOptions(seed=settings.seed, record=settings.record)
    return LearnedRouter(time.monotonic, time.time, metrics, load_router_bytes, options)


def load_router_embedder(store: AssetStore, name: str) -> StaticEmbedder:
    """Return the embedder whose asset has this name.

    Raises:
        AssetNotFound: It is not here, or the catalog has no such name. DataError: Its files are none.
    """
    return load_embedder(store.path(name))
