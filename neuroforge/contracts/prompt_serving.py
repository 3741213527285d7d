"""How releases get into service: promotions, aliases, what gateways hold, and how a request names a prompt."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Self

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.prompts import PROMPT_NAME, AliasName, PromptCounts, PromptReference, PromptRelease
from neuroforge.contracts.routing import PromptTag
from neuroforge.errors import NotFound, RequestError

PRODUCTION = "production"
"""The alias that is meant where none is named."""
MODEL_PREFIX = "prompt:"
"""Of `model` in a request that asks for a prompt: `prompt:name`, `prompt:name@alias`, `prompt:name@3`."""
_NAME = re.compile(PROMPT_NAME)
LARGEST_VERSION = 2**31 - 1
GIVEN_WHEN_KEPT = {"version", "content_hash", "tracked_as", "created_at_s"}
"""Fields of a release that are not its author's."""
EXAMPLES, EXAMPLE = "examples", "example"
"""What NearestExamples adds to the variables of messages: a list, and one of it in messages for each."""
SERVED = {"messages", "nearest", "verbalizer", "labels", "variables", "decoding"}
"""Fields of a release that decide what a model is asked, and what callers get."""


class PromptPromotion(Contract):
    """POST /admin/v1/prompts/{name}/promote: a new release, or a version that is kept already."""

    release: PromptRelease | None = None
    version: int | None = Field(default=None, ge=1, le=LARGEST_VERSION)
    alias: AliasName = PRODUCTION
    shadow_share: float | None = Field(default=None, gt=0, le=1)
    """Ask it beside the alias's version for this share of its requests, and show its answers to nobody; None = it
    answers from now on."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.release is None) == (self.version is None):
            raise ValueError("give one of release and version")
        return self


class PromptAlias(Contract):
    """What a name stands for now."""

    name: str
    alias: str
    version: int = Field(ge=1)
    shadow_version: int | None = Field(default=None, ge=1)
    shadow_share: float = Field(default=0.0, ge=0, le=1)


class PromptSnapshot(Contract):
    """All that a gateway replica needs to serve prompts by name."""

    revision: int = Field(ge=0)
    """Grows with every change."""
    releases: tuple[PromptRelease, ...] = ()
    aliases: tuple[PromptAlias, ...] = ()


class PromptUse(Contract):
    """What requests of a version came to in a gateway replica since its last report."""

    tag: PromptTag
    counts: PromptCounts


class PromptDiff(Contract):
    """What differs between two versions of a prompt."""

    name: str
    left: int
    right: int
    lines: tuple[str, ...]
    """A unified diff of what `right` serves instead of `left`; empty = the same."""


def content_hash_of(release: PromptRelease) -> str:
    """Return the SHA-256 of what is served: messages, examples, labels and words for them, variables and decoding.

    Without defaults, so that a field which a later version knows does not change it.
    """
    content = release.model_dump_json(include=SERVED, exclude_defaults=True)
    return hashlib.sha256(content.encode()).hexdigest()


def says_the_same(one: PromptRelease, other: PromptRelease) -> bool:
    """Whether two releases differ in nothing but what the store and the registry gave them."""
    return one.model_dump(exclude=GIVEN_WHEN_KEPT) == other.model_dump(exclude=GIVEN_WHEN_KEPT)


def no_prompt(name: str, known: Iterable[str], **context: Any) -> NotFound:
    """The error for a name that no prompt has; lists those that exist."""
    names = sorted(set(known))
    return NotFound(f"there is no prompt {name!r}; there are: {', '.join(names) or 'none'}", known=names, **context)


def no_version(name: str, version: int, known: Iterable[int], **context: Any) -> NotFound:
    """The error for a version that a prompt does not have."""
    versions = ", ".join(map(str, sorted(known)))
    return NotFound(f"prompt {name!r} has no version {version}; it has {versions}", **context)


def no_alias(name: str, alias: str, known: Iterable[str], **context: Any) -> NotFound:
    """The error for an alias that a prompt does not have."""
    aliases = ", ".join(sorted(known)) or "none"
    return NotFound(f"prompt {name!r} has no alias {alias!r}; it has {aliases}", **context)


def read_reference(text: str, param: str | None = None) -> PromptReference:
    """Return what `name`, `name@alias` or `name@3` means.

    Args:
        param: The request's field that it came from.
    Raises:
        RequestError: It is none of them.
    """
    name, at, which = text.partition("@")
    is_version = which.isascii() and which.isdigit() and int(which) > 0
    if not _NAME.fullmatch(name) or (at and not is_version and not _NAME.fullmatch(which)):
        raise RequestError(
            f"{text!r} names no prompt: write name, name@alias or name@version, such as sense@production", param=param
        )
    if is_version:
        return PromptReference(name=name, version=int(which))
    return PromptReference(name=name, alias=which or None)
