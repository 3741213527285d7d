"""Releases of prompts as a gateway holds them."""

from typing import Any

from neuroforge.contracts.prompt_serving import PromptAlias, PromptSnapshot, content_hash_of
from neuroforge.contracts.prompts import PromptMessage, PromptRelease


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
