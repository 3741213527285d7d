"""A proven winner -> a release that gateways serve by name, where the configuration asks for it."""

from typing import Protocol

from neuroforge.contracts.prompts import OptimizationResult, OptimizeConfig, PromptEntry, PromptRelease
from neuroforge.errors import NeuroForgeError
from neuroforge.prompts.release import release_of_result


class Registry(Protocol):
    """Where releases are promoted; the async client's `prompts` is one."""

    async def promote(self, release: PromptRelease, alias: str) -> PromptEntry:
        """Keep it, and serve it under the alias. Raises NeuroForgeError: nothing has changed."""
        ...


async def register(config: OptimizeConfig, result: OptimizationResult, registry: Registry) -> str | None:
    """Promote the winner; return what became of it, for people. None = it is not proven, or nobody wants it served.

    A promotion that fails costs nothing that was found: it is told, and can be made later.
    """
    if not (config.promote and result.is_promoted):
        return None
    try:
        release = release_of_result(result, data_hash=result.data_sha256)
        entry = await registry.promote(release, config.alias)
    except NeuroForgeError as error:
        return f"proven, but not served: {error.message}; promote it later: neuroforge prompts promote"
    return f"served as prompt:{config.name}@{config.alias}, version {entry.release.version}"
