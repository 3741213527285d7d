"""An alias of a prompt, and what promotions and rollbacks make of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from neuroforge.contracts.prompts import PromptState
from neuroforge.errors import ConflictError


@dataclass(frozen=True)
class Named:
    """What an alias names now, and how it came there."""

    version: int
    trail: tuple[int, ...] = ()
    """Versions that it named before, oldest first."""
    shadow_version: int | None = None
    shadow_share: float = 0.0

    @property
    def versions(self) -> set[int]:
        """Those that it uses."""
        return {self.version} if self.shadow_version is None else {self.version, self.shadow_version}


def promoted(before: Named | None, version: int, shadow_share: float | None, what: str) -> Named:
    """Return the alias once it names the version, or once that is its shadow; a promotion ends a shadow.

    Args:
        what: `name@alias`, for messages.
    Raises:
        ConflictError: A shadow of nothing, or of itself.
    """
    if shadow_share is None:
        if before is None:
            return Named(version)
        return before if before.version == version else Named(version, (*before.trail, before.version))
    if before is None:
        raise ConflictError(f"{what} names nothing that a shadow could stand beside: promote it without shadow_share")
    if before.version == version:
        raise ConflictError(f"{what} names version {version} already: it cannot be its own shadow")
    return replace(before, shadow_version=version, shadow_share=shadow_share)


def rolled_back(before: Named, version: int | None, what: str) -> Named:
    """Return the alias without its last change, or as it was when it last named `version`.

    Raises:
        ConflictError: There was no change, or it never named that version.
    """
    if version is None:
        if before.shadow_version is not None:
            return replace(before, shadow_version=None, shadow_share=0.0)
        if not before.trail:
            raise ConflictError(f"{what} names version {before.version}, its first: there is nothing to go back to")
        return Named(before.trail[-1], before.trail[:-1])
    if version == before.version:
        raise ConflictError(f"{what} names version {version} already")
    if version not in before.trail:
        told = ", ".join(map(str, before.trail)) or "none"
        raise ConflictError(f"{what} never named version {version} (before now: {told}): promote that version instead")
    place = len(before.trail) - 1 - before.trail[::-1].index(version)
    return Named(version, before.trail[:place])


def state_of(version: int, aliases: Iterable[Named]) -> PromptState | None:
    """Return what the aliases of its name make of a version; None = they do not use it."""
    found: PromptState | None = None
    for one in aliases:
        if one.version == version:
            return "live"
        if one.shadow_version == version:
            found = "shadow"
    return found
