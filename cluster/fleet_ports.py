"""What the fleet controller needs: somebody who deploys, and somebody who remembers."""

from typing import Protocol

from cluster.fleet_model import Observed
from neuroforge.contracts.models import ModelSpec


class Deployer(Protocol):
    """Hands over to Ray Serve; calls may block, so they run in a thread."""

    def deploy(self, spec: ModelSpec) -> None:
        """Create or update the model's application; returns before it is ready."""
        ...

    def delete(self, model_id: str) -> None:
        """Remove it; returns before it is gone."""
        ...

    def observe(self) -> dict[str, Observed]:
        """State of every model application there is, by model id."""
        ...

    def check(self, spec: ModelSpec) -> None:
        """Raise what would make loading fail: OutOfMemory, AssetNotFound, ConfigError."""
        ...


class SpecStore(Protocol):
    """The registry, reached over a handle."""

    async def list_specs(self) -> tuple[ModelSpec, ...]:
        """As ModelRegistry."""
        ...

    async def put_spec(self, spec: ModelSpec) -> None:
        """As ModelRegistry."""
        ...

    async def remove_spec(self, model_id: str) -> None:
        """As ModelRegistry."""
        ...
