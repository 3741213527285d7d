"""As `ports`, for prompts that are served by name: who keeps releases, and who puts them into service."""

from typing import Protocol

from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry, PromptRelease


class PromptRegistry(Protocol):
    """Where an optimisation hands its winner to; the client's `prompts` is one."""

    async def promote(
        self, release: PromptRelease, alias: str = "production", shadow_share: float | None = None
    ) -> PromptEntry:
        """Register it and serve it under the alias; with a share only beside the alias's version, shown to nobody.

        The same release under the same alias again changes nothing.
        Raises:
            RequestError, ConflictError: It cannot be served, or there is nothing that it could stand beside.
            StorageError: MLflow or the store refused; nothing has changed.
        """
        ...


class PromptStore(Protocol):
    """Releases and aliases in the single-writer store, over a handle. Each change is all or nothing."""

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        """Every version, by name, newest first."""
        ...

    async def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """Keep the release as the name's next version, or find the version, and let the alias name it.

        Raises:
            NotFound: No such version. ConflictError: The alias names nothing that a shadow could stand beside.
        """
        ...

    async def rollback_prompt(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """Take the alias's last change back, or all until it names `version` again; returns what it names now.

        Raises:
            NotFound: No such alias. ConflictError: Nothing was before, or it never named that version.
        """
        ...


class PromptHistory(Protocol):
    """The registry that other tools read. All block and raise StorageError: it could not."""

    def record(self, release: PromptRelease) -> str:
        """Keep it as a new version; return its address."""
        ...

    def forget(self, address: str) -> None:
        """Delete that version."""
        ...

    def move_alias(self, name: str, alias: str, address: str | None) -> str | None:
        """Let the alias name that address (None = nothing); return what it named before."""
        ...


class PromptDesk(Protocol):
    """What the gateway is given: the store's reading, and changes that tell both registry and store."""

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        """As PromptStore."""
        ...

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """As PromptRegistry.promote."""
        ...

    async def rollback(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """As PromptStore.rollback_prompt, then tell the registry; where that fails, the entry's note says so."""
        ...
