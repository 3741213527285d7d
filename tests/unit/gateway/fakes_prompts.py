"""Releases of prompts as a gateway holds them, and a stand-in for who changes them."""

from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.prompt_serving import PromptAlias, PromptPromotion, PromptSnapshot, content_hash_of
from neuroforge.contracts.prompts import PromptEntry, PromptMessage, PromptRelease


def release(*messages: tuple[str, str], version: int = 1, name: str = "sense", **changes: Any) -> PromptRelease:
    """A kept release: role and content of each message."""
    parts = tuple(PromptMessage.model_validate({"role": role, "content": content}) for role, content in messages)
    values = {"name": name, "version": version, "messages": parts, "reason": "r", "variables": ("query",), **changes}
    found = PromptRelease.model_validate(values)
    return PromptRelease(**{**dict(found), "content_hash": content_hash_of(found)})


def holding(*releases: PromptRelease, **alias: Any) -> PromptSnapshot:
    """A snapshot of these releases; `production` names the first unless told otherwise."""
    first = releases[0]
    values = {"name": first.name, "alias": "production", "version": first.version, **alias}
    return PromptSnapshot(revision=1, releases=releases, aliases=(PromptAlias(**values),))


def entry(version: int = 1, **changes: Any) -> PromptEntry:
    kept = release(("user", f"v{version}: {{{{ query }}}}"), version=version, models=("small",))
    return PromptEntry.model_validate({"release": kept, "state": "stored", **changes})


@dataclass
class FakePrompts:
    """PromptDesk that knows two versions of `sense`, the second live; remembers what it was told."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    error: Exception | None = None

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        return (entry(2, state="live", aliases=("production",)), entry(1, state="superseded"))

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        self._note("promote", name, promotion)
        return entry(3, state="live", aliases=(promotion.alias,))

    async def rollback(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        self._note("rollback", name, alias, version)
        return entry(1, state="live", aliases=(alias,))

    def _note(self, *call: object) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(call)
