"""Prompts that a gateway replica holds: snapshot in, and a release found by name and rendered out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.prompt_serving import (
    MODEL_PREFIX,
    PRODUCTION,
    PromptAlias,
    PromptSnapshot,
    content_hash_of,
    no_alias,
    no_prompt,
    no_version,
)
from neuroforge.contracts.prompts import PromptReference, PromptRelease
from neuroforge.datasets.template import fill_in, names_in
from neuroforge.errors import DataError, RequestError, StorageError

QUERY = "query"
"""The variable that a conversation's last user message is."""
PROMPT = "neuroforge.prompt"
VARIABLES = f"{PROMPT}.variables"
_SIGNS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Served:
    """A release that is ready: what no variable can change is rendered already."""

    release: PromptRelease
    parts: tuple[tuple[str, str, bool], ...]
    """Role, content, and whether that is still a template."""

    @property
    def label(self) -> str:
        """For messages."""
        return f"prompt {self.release.name!r} version {self.release.version}"

    @property
    def has_system(self) -> bool:
        """Whether it brings the conversation's system message."""
        return self.parts[0][0] == "system"

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
            return [
                {"role": role, "content": fill_in(content, variables, self.label) if is_template else content}
                for role, content, is_template in self.parts
            ]
        except DataError as error:
            raise RequestError(error.message, param=VARIABLES) from error

    def _refusal(self, what: str) -> RequestError:
        needed = _listed(self.release.variables) or "none"
        return RequestError(f"{self.label} {what}; its variables: {needed}", param=VARIABLES)


class PromptShelf:
    """Answers from the newest PromptSnapshot. A release is prepared when it is first asked for, and kept."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[int, PromptRelease]] = {}
        self._aliases: dict[str, dict[str, PromptAlias]] = {}
        self._served: dict[tuple[str, int], Served] = {}
        self.revision: int | None = None
        """None = no snapshot has come yet."""

    def update(self, snapshot: PromptSnapshot) -> None:
        """Serve what it says from now on."""
        self.revision = snapshot.revision
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
            self._served[key] = _prepare(self._releases[name][version])
        return self._served[key]


def _prepare(release: PromptRelease) -> Served:
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
        parts.append((str(message.role), content, is_template))
    return Served(release, tuple(parts))


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
