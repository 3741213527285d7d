"""What router and learner both need of the machine: the embedder's files."""

from neuroforge.assets.store import AssetStore
from neuroforge.router.embedder import StaticEmbedder, load_embedder


def load_router_embedder(store: AssetStore, name: str) -> StaticEmbedder:
    """Return the embedder whose asset has this name.

    Raises:
        AssetNotFound: It is not here, or the catalog has no such name. DataError: Its files are none.
    """
    return load_embedder(store.path(name))
