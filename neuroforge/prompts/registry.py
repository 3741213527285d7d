"""Promotion -> checked -> MLflow -> store, whole or not at all; and the way back, which does not wait for MLflow.

A store that does not answer may have kept a promotion or not. It is told again, which changes nothing where it has; if
it stays silent, MLflow is left as it is, and before the next promotion it is put right by what the store holds then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from neuroforge.contracts.ports_prompts import PromptHistory, PromptStore
from neuroforge.contracts.prompt_serving import PromptPromotion, says_the_same
from neuroforge.contracts.prompts import PromptEntry, PromptRelease
from neuroforge.errors import EngineUnavailable, StorageError
from neuroforge.prompts.release import check_release

logger = logging.getLogger(__name__)
N_TRIES = 3
"""Times that a silent store is told of a promotion; each takes as long as its handle waits."""


@dataclass(frozen=True)
class _Unsettled:
    """A change of which nobody knows whether the store has it."""

    name: str
    alias: str | None
    """Moved in MLflow; None = it is a shadow."""
    recorded: str | None
    """Address of the version that was made for it; None = it was there before."""


@dataclass
class ReleaseRegistry:
    """Changes registry and store one at a time, so that both name the same. `history` None = tracking is off."""

    store: PromptStore
    history: PromptHistory | None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unsettled: list[_Unsettled] = field(default_factory=list)

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """As PromptDesk.promote."""
        async with self._turn:
            await self._settle()
            if promotion.release is None:
                return await self._name(name, promotion)
            release = check_release(promotion.release, name)
            if (same := await self._find_same(release, promotion)) is not None:
                return same
            return await self._add(release, promotion)

    async def rollback(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """As PromptDesk.rollback."""
        async with self._turn:
            try:
                entry = await self.store.rollback_prompt(name, alias, version)
            except EngineUnavailable as error:  # told again, it might take back one change more
                self._unsettled.append(_Unsettled(name, alias, recorded=None))
                raise EngineUnavailable(
                    f"{error.message}. Whether {name}@{alias} was taken back is not known: see neuroforge prompts list"
                ) from error
            if self.history is None:
                return entry
            try:
                await asyncio.to_thread(self.history.move_alias, name, alias, entry.release.tracked_as)
            except StorageError as error:
                logger.warning("MLflow was not told of a rollback", extra={"prompt": name, "reason": error.message})
                note = f"it is served, but MLflow's alias {alias} still names another version: {error.message}"
                return PromptEntry(**{**dict(entry), "note": note})
            return entry

    async def _find_same(self, release: PromptRelease, promotion: PromptPromotion) -> PromptEntry | None:
        """The entry that this promotion would only repeat."""
        for entry in await self.store.list_prompts():
            aliases = entry.aliases if promotion.shadow_share is None else entry.shadow_of
            if promotion.alias in aliases and says_the_same(entry.release, release):
                return entry
        return None

    async def _add(self, release: PromptRelease, promotion: PromptPromotion) -> PromptEntry:
        if self.history is None:
            return await self._tell_store(release.name, _of(promotion, release))
        address = await asyncio.to_thread(self.history.record, release)
        async with self._undone_on_error(f"{address} stays there", self.history.forget, address):
            release = PromptRelease(**{**dict(release), "tracked_as": address})
            return await self._name(release.name, _of(promotion, release), address)

    async def _name(self, name: str, promotion: PromptPromotion, recorded: str | None = None) -> PromptEntry:
        """Move the alias in the registry, then in the store.

        A shadow has none; a version that was kept while nothing was tracked takes it away.
        """
        if self.history is None or promotion.shadow_share is not None:
            return await self._tell_store(name, promotion, recorded)
        address = recorded or await self._address_of(name, promotion.version)
        former = await asyncio.to_thread(self.history.move_alias, name, promotion.alias, address)
        told = f"its alias {promotion.alias} names {address or 'nothing'}"
        async with self._undone_on_error(told, self.history.move_alias, name, promotion.alias, former):
            return await self._tell_store(name, promotion, recorded)

    async def _tell_store(self, name: str, promotion: PromptPromotion, recorded: str | None = None) -> PromptEntry:
        """Raises EngineUnavailable: it stayed silent, and may have the promotion or not."""
        for _ in range(N_TRIES - 1):
            try:
                return await self.store.promote_prompt(name, promotion)
            except EngineUnavailable as error:
                logger.warning("the prompt store is told again", extra={"prompt": name, "reason": error.message})
        try:
            return await self.store.promote_prompt(name, promotion)
        except EngineUnavailable as error:
            alias = promotion.alias if promotion.shadow_share is None else None
            self._unsettled.append(_Unsettled(name, alias, recorded))
            raise EngineUnavailable(
                f"{error.message}. Whether {name}@{promotion.alias} has changed is not known: promote it again, which "
                "changes nothing where it has"
            ) from error

    async def _settle(self) -> None:
        """Put MLflow right for changes whose end nobody heard.

        Raises:
            EngineUnavailable: The store is silent still. StorageError: MLflow is down.
        """
        while self._unsettled and self.history is not None:
            one = self._unsettled[0]
            entries = await self.store.list_prompts()
            if one.alias is not None:
                named = (entry for entry in entries if entry.release.name == one.name and one.alias in entry.aliases)
                address = next((entry.release.tracked_as for entry in named), None)
                await asyncio.to_thread(self.history.move_alias, one.name, one.alias, address)
            if one.recorded is not None and all(entry.release.tracked_as != one.recorded for entry in entries):
                await asyncio.to_thread(self.history.forget, one.recorded)
            self._unsettled.pop(0)

    async def _address_of(self, name: str, version: int | None) -> str | None:
        entries = await self.store.list_prompts()
        found = (one.release for one in entries if (one.release.name, one.release.version) == (name, version))
        return next((one.tracked_as for one in found), None)

    @asynccontextmanager
    async def _undone_on_error(self, left: str, undo: Callable[..., object], *args: object) -> AsyncIterator[None]:
        """Put the registry back when what follows fails; `left` says what stays there where that fails too."""
        try:
            yield
        except EngineUnavailable:
            raise  # the store may have it: `_settle` will see
        except BaseException as error:
            try:
                await asyncio.to_thread(undo, *args)
            except StorageError as second:
                raise StorageError(f"{error}; and MLflow could not be put back, {left}: {second.message}") from error
            raise


def _of(promotion: PromptPromotion, release: PromptRelease) -> PromptPromotion:
    return PromptPromotion(release=release, alias=promotion.alias, shadow_share=promotion.shadow_share)
