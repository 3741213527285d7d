"""Entries of prompts -> the one that is meant, what differs between two, and what is exported of one."""

import difflib
from collections.abc import Sequence
from typing import Literal

import yaml

from neuroforge.contracts.prompt_serving import PRODUCTION, PromptDiff
from neuroforge.contracts.prompts import PromptEntry, PromptReference, PromptRelease
from neuroforge.errors import NotFound

ExportFormat = Literal["yaml", "json", "text"]
_GIVEN_BY_THE_STORE = {"version", "content_hash", "tracked_as", "created_at_s"}


def find_entry(entries: Sequence[PromptEntry], reference: PromptReference) -> PromptEntry:
    """Return the entry that a reference means; neither alias nor version = `production`.

    Raises:
        NotFound: No such name, alias or version; lists those that exist.
    """
    mine = [one for one in entries if one.release.name == reference.name]
    if not mine:
        known = ", ".join(sorted({one.release.name for one in entries})) or "none"
        raise NotFound(f"there is no prompt {reference.name!r}; there are: {known}")
    if reference.version is not None:
        found = next((one for one in mine if one.release.version == reference.version), None)
        told = f"version {reference.version}", ", ".join(str(one.release.version) for one in reversed(mine))
    else:
        alias = reference.alias or PRODUCTION
        found = next((one for one in mine if alias in one.aliases), None)
        told = f"alias {alias!r}", ", ".join(sorted(name for one in mine for name in one.aliases)) or "none"
    if found is None:
        raise NotFound(f"prompt {reference.name!r} has no {told[0]}; it has {told[1]}")
    return found


def diff_of(left: PromptRelease, right: PromptRelease) -> PromptDiff:
    """Return what the right one serves otherwise: messages, decoding, models."""
    old, new = text_of(left).splitlines(), text_of(right).splitlines()
    names = f"{left.name}@{left.version}", f"{right.name}@{right.version}"
    lines = tuple(difflib.unified_diff(old, new, *names, lineterm=""))
    return PromptDiff(name=left.name, left=left.version, right=right.version, lines=lines)


def export_of(release: PromptRelease, form: ExportFormat) -> str:
    """Return the release as a file that `neuroforge prompts promote` takes (yaml, json), or as text to read."""
    if form == "text":
        return text_of(release)
    if form == "json":
        return release.model_dump_json(indent=2, exclude=_GIVEN_BY_THE_STORE, exclude_defaults=True) + "\n"
    content = release.model_dump(mode="json", exclude=_GIVEN_BY_THE_STORE, exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def text_of(release: PromptRelease) -> str:
    """Return what is served, for people: each message under its role, then decoding and models."""
    parts = [f"[{one.role}]\n{one.content}\n" for one in release.messages]
    if release.decoding is not None:
        values = release.decoding.model_dump(mode="json", exclude={"name", "seed"}, exclude_none=True)
        parts.append("[decoding]\n" + "".join(f"{name}: {value}\n" for name, value in values.items()))
    if release.models:
        parts.append(f"[models]\n{', '.join(release.models)}\n")
    return "\n".join(parts)
