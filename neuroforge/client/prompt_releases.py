"""What both clients offer of prompts that are served by name."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from neuroforge.client import calls_prompts as calls
from neuroforge.client.calls import Call
from neuroforge.client.calls_prompts import ExportFormat
from neuroforge.contracts.prompt_serving import PRODUCTION, PromptDiff
from neuroforge.contracts.prompts import PromptEntry, PromptRelease

T = TypeVar("T")


class PromptReleases:
    """The blocking client's part."""

    def __init__(self, send: Callable[[Call[Any]], Any]) -> None:
        self._send = send

    def list(self, name: str | None = None) -> tuple[PromptEntry, ...]:
        """Every version that is kept, by name, newest first."""
        return self._sent(calls.list_prompts(name))

    def get(self, name: str, which: str | int = PRODUCTION) -> PromptEntry:
        """A version with what became of it; `which` is an alias or a version. Raises NotFound."""
        return self._sent(calls.get_prompt(name, which))

    def diff(self, name: str, left: str | int, right: str | int = PRODUCTION) -> PromptDiff:
        """What `right` serves otherwise than `left`; each an alias or a version. Raises NotFound."""
        return self._sent(calls.diff_prompts(name, left, right))

    def export(self, name: str, which: str | int = PRODUCTION, form: ExportFormat = "yaml") -> str:
        """The release as a file that can be promoted again, or as text to read. Raises NotFound."""
        return self._sent(calls.export_prompt(name, which, form))

    def promote(
        self, release: PromptRelease, alias: str = PRODUCTION, shadow_share: float | None = None
    ) -> PromptEntry:
        """Keep the release, in MLflow too, and serve it under the alias; with a share only beside what answers.

        The same release under the same alias again changes nothing.
        Raises:
            RequestError, ConflictError: It cannot be served, or there is nothing for a shadow to stand beside.
            StorageError: MLflow or the store refused; nothing has changed.
        """
        return self._sent(calls.promote_prompt(release.name, release, alias, shadow_share))

    def promote_version(
        self, name: str, version: int, alias: str = PRODUCTION, shadow_share: float | None = None
    ) -> PromptEntry:
        """As `promote`, of a version that is kept already. Raises NotFound."""
        return self._sent(calls.promote_prompt(name, version, alias, shadow_share))

    def rollback(self, name: str, alias: str = PRODUCTION, version: int | None = None) -> PromptEntry:
        """Take the alias's last change back, or all until it names `version` again; returns what it names now.

        Raises:
            NotFound, ConflictError: No such alias; nothing was before, or it never named that version.
        """
        return self._sent(calls.rollback_prompt(name, alias, version))

    def _sent(self, call: Call[T]) -> T:
        found: T = self._send(call)
        return found


class AsyncPromptReleases:
    """The async client's part; implements PromptRegistry."""

    def __init__(self, send: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._send = send

    async def list(self, name: str | None = None) -> tuple[PromptEntry, ...]:
        """As the blocking client."""
        return await self._sent(calls.list_prompts(name))

    async def get(self, name: str, which: str | int = PRODUCTION) -> PromptEntry:
        """As the blocking client."""
        return await self._sent(calls.get_prompt(name, which))

    async def diff(self, name: str, left: str | int, right: str | int = PRODUCTION) -> PromptDiff:
        """As the blocking client."""
        return await self._sent(calls.diff_prompts(name, left, right))

    async def export(self, name: str, which: str | int = PRODUCTION, form: ExportFormat = "yaml") -> str:
        """As the blocking client."""
        return await self._sent(calls.export_prompt(name, which, form))

    async def promote(
        self, release: PromptRelease, alias: str = PRODUCTION, shadow_share: float | None = None
    ) -> PromptEntry:
        """As the blocking client."""
        return await self._sent(calls.promote_prompt(release.name, release, alias, shadow_share))

    async def promote_version(
        self, name: str, version: int, alias: str = PRODUCTION, shadow_share: float | None = None
    ) -> PromptEntry:
        """As the blocking client."""
        return await self._sent(calls.promote_prompt(name, version, alias, shadow_share))

    async def rollback(self, name: str, alias: str = PRODUCTION, version: int | None = None) -> PromptEntry:
        """As the blocking client."""
        return await self._sent(calls.rollback_prompt(name, alias, version))

    async def _sent(self, call: Call[T]) -> T:
        found: T = await self._send(call)
        return found
