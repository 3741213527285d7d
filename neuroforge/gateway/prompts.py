"""Prompts that a gateway replica holds: snapshot in, and a release found by name and rendered out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.prompt_serving import (
    EXAMPLE,
    EXAMPLES,
    MODEL_PREFIX,
    PRODUCTION,
    PromptAlias,
    PromptSnapshot,
    content_hash_of,
    no_alias,
    no_prompt,
    no_version,
)
from neuroforge.contracts.prompts import NearestExamples, PromptReference, PromptRelease
from neuroforge.datasets.nearest import NearestTexts
from neuroforge.datasets.template import fill_in, names_in
from neuroforge.errors import DataError, RequestError, StorageError

QUERY = "query"
"""The variable that a conversation's last user message is."""
PROMPT = "neuroforge.prompt"
VARIABLES = f"{PROMPT}.variables"
_SIGNS = ("{{", "{%", "{#")


class Part(NamedTuple):
    """A message of a release."""

    role: str
    content: str
    is_template: bool
    """Whether the content still is one."""
    is_per_example: bool


@dataclass(frozen=True, slots=True)
class Served:
    """A release that is ready: what no variable can change is rendered already."""

    release: PromptRelease
    parts: tuple[Part, ...]
    index: NearestTexts | None = None
    """Of the examples' questions, where they are chosen for each request."""

    @property
    def label(self) -> str:
        """For messages."""
        return f"prompt {self.release.name!r} version {self.release.version}"

    @property
    def has_system(self) -> bool:
        """Whether it brings the conversation's system message."""
        return self.parts[0].role == "system"

    def render(self, variables: Mapping[str, str | int | float | bool]) -> list[JsonObject]:
        """Return the messages.

        Raises:
            RequestError: A variable is missing or unknown, or the text cannot be made of them; says which.
        """
        needed = self.release.variables
        if unknown := sorted(set(variables) - set(needed)):
            raise self._refusal(f"does not take {_listed(unknown)}")
        if missing := [name for name in needed if name not in variables]:
            raise self._refusal(f"lacks {_listed(missing)}")
        try:
            shown = self._choose(variables)
            return [
                {"role": part.role, "content": self._fill_in(part, known)}
                for part, known in self._in_order({**variables, EXAMPLES: shown} if shown else variables, shown)
            ]
        except DataError as error:
            raise RequestError(error.message, param=VARIABLES) from error

    def _choose(self, variables: Mapping[str, Any]) -> list[JsonObject]:
        """The examples nearest to the question, most similar last."""
        nearest = self.release.nearest
        if nearest is None or self.index is None:
            return []
        question = fill_in(nearest.question, variables, self.label)
        places = self.index.nearest(question, nearest.n_shown)[::-1]
        return [
            {"question": one.question, "answer": one.answer, "reasoning": one.reasoning, "is_first": place == 0}
            for place, one in enumerate(nearest.pool[at] for at in places)
        ]

    def _in_order(
        self, variables: Mapping[str, Any], shown: list[JsonObject]
    ) -> Iterator[tuple[Part, Mapping[str, Any]]]:
        """Parts with what they may name; those for each example together, once an example."""
        for is_per_example, parts in groupby(self.parts, key=lambda part: part.is_per_example):
            if is_per_example:
                together = list(parts)
                yield from ((part, {**variables, EXAMPLE: one}) for one in shown for part in together)
            else:
                yield from ((part, variables) for part in parts)

    def _fill_in(self, part: Part, variables: Mapping[str, Any]) -> str:
        return fill_in(part.content, variables, self.label) if part.is_template else part.content

    def _refusal(self, what: str) -> RequestError:
        needed = _listed(self.release.variables) or "none"
        return RequestError(f"{self.label} {what}; its variables: {needed}", param=VARIABLES)


class PromptShelf:
    """Answers from the newest PromptSnapshot. A release is prepared when it is first asked for, and kept."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[int, PromptRelease]] = {}
        self._aliases: dict[str, dict[str, PromptAlias]] = {}
        self._served: dict[tuple[str, int], Served] = {}
        self._indexes: dict[str, NearestTexts] = {}
        """By content hash."""
        self.revision: int | None = None
        """None = no snapshot has come yet."""

    def index(self, snapshot: PromptSnapshot) -> None:
        """Index the pools that aliases name, before they are asked for: 20 to 100 ms each, so call it in a thread.

        What was indexed stays, should the caller give up in between.
        """
        named = {(one.name, one.version) for one in snapshot.aliases}
        named |= {(one.name, one.shadow_version or 0) for one in snapshot.aliases}
        for one in snapshot.releases:
            is_named = (one.name, one.version) in named
            if one.nearest is not None and is_named and one.content_hash not in self._indexes:
                self._indexes[one.content_hash] = _index_of(one.nearest)

    def update(self, snapshot: PromptSnapshot) -> None:
        """Serve what it says from now on. A pool without an index gets it when its release is first asked for."""
        self.revision = snapshot.revision
        hashes = {one.content_hash for one in snapshot.releases}
        self._indexes = {key: one for key, one in self._indexes.items() if key in hashes}
        releases: dict[str, dict[int, PromptRelease]] = {}
        for release in snapshot.releases:
            releases.setdefault(release.name, {})[release.version] = release
        aliases: dict[str, dict[str, PromptAlias]] = {}
        for alias in snapshot.aliases:
            aliases.setdefault(alias.name, {})[alias.alias] = alias
        self._releases, self._aliases = releases, aliases
        self._served = {
            key: one for key, one in self._served.items() if releases.get(key[0], {}).get(key[1]) == one.release
        }

    def find(self, reference: PromptReference, param: str) -> tuple[Served, PromptAlias | None]:
        """Return the release, with the alias by which it was named; None = by its version.

        Args:
            param: The request's field that named it.
        Raises:
            NotFound: No such name, alias or version; lists those that exist.
            StorageError: Its content is not what was kept.
        """
        versions = self._releases.get(reference.name)
        if versions is None:
            raise no_prompt(reference.name, self._releases, param=param)
        if reference.version is not None:
            if reference.version not in versions:
                raise no_version(reference.name, reference.version, versions, param=param)
            return self.served(reference.name, reference.version), None
        wanted, aliases = reference.alias or PRODUCTION, self._aliases.get(reference.name, {})
        alias = aliases.get(wanted)
        if alias is None:
            raise no_alias(reference.name, wanted, aliases, param=param)
        return self.served(alias.name, alias.version), alias

    def by_model_name(self) -> dict[str, PromptRelease]:
        """Return the releases that any chat client can ask by `model` alone, by what stands there."""
        found: dict[str, PromptRelease] = {}
        for name, aliases in sorted(self._aliases.items()):
            for alias, one in sorted(aliases.items()):
                release = self._releases[name][one.version]
                if set(release.variables) <= {QUERY}:
                    found[f"{MODEL_PREFIX}{name}" + ("" if alias == PRODUCTION else f"@{alias}")] = release
        return found

    def served(self, name: str, version: int) -> Served:
        """Return a release of the snapshot, ready. Raises StorageError: its content is not what was kept."""
        key = (name, version)
        if key not in self._served:
            release = self._releases[name][version]
            self._served[key] = _prepare(release, self._indexes.get(release.content_hash))
        return self._served[key]


def _index_of(nearest: NearestExamples) -> NearestTexts:
    return NearestTexts([one.question for one in nearest.pool])


def _prepare(release: PromptRelease, index: NearestTexts | None) -> Served:
    if content_hash_of(release) != release.content_hash:
        raise StorageError(
            f"prompt {release.name!r} version {release.version} is not served: its content does not match its hash; "
            f"roll back, or promote it again"
        )
    label = f"prompt {release.name!r} version {release.version}"
    parts = []
    for message in release.messages:
        content, is_template = message.content, any(sign in message.content for sign in _SIGNS)
        if is_template and not names_in(content):
            content, is_template = fill_in(content, {}, label), False
        parts.append(Part(str(message.role), content, is_template, message.is_per_example))
    if release.nearest is not None and index is None:
        index = _index_of(release.nearest)
    return Served(release, tuple(parts), index)


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
