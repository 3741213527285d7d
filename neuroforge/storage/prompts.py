"""Prompt releases at rest: versions that are given once, the aliases that name them, and the way back."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, select

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.prompt_serving import (
    PromptAlias,
    PromptPromotion,
    PromptSnapshot,
    PromptUse,
    content_hash_of,
    no_alias,
    no_prompt,
    no_version,
    says_the_same,
)
from neuroforge.contracts.prompts import PromptCounts, PromptEntry, PromptRelease, PromptState
from neuroforge.contracts.routing import PromptTag
from neuroforge.errors import NotFound, StorageError
from neuroforge.storage.engine import Database
from neuroforge.storage.prompt_aliases import Named, promoted, rolled_back, state_of
from neuroforge.storage.prompt_uses import add_uses, read_uses
from neuroforge.storage.schema import prompt_aliases, prompts, prompts_head


class SqlPrompts:
    """`PromptStore` without the waiting; safe to use from several threads and processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._clock = clock
        """Unix time."""

    def revision(self) -> int:
        """Cheap answer to "did anything change?"."""
        with self.database.read() as connection:
            return self._revision(connection)

    def snapshot(self) -> PromptSnapshot:
        """Everything that can be served, as of one moment.

        Raises:
            StorageError: A row is not a PromptRelease of this version.
        """
        with self.database.read() as connection:
            rows = connection.execute(select(prompts).order_by(prompts.c.seq)).all()
            aliases = tuple(
                PromptAlias(
                    name=name,
                    alias=alias,
                    version=one.version,
                    shadow_version=one.shadow_version,
                    shadow_share=one.shadow_share,
                )
                for (name, alias), one in sorted(_all_named(connection).items())
            )
            revision = self._revision(connection)
        return PromptSnapshot(revision=revision, releases=tuple(self._release(row) for row in rows), aliases=aliases)

    def list_prompts(self) -> tuple[PromptEntry, ...]:
        """As PromptStore."""
        with self.database.read() as connection:
            rows = connection.execute(select(prompts)).all()
            named, uses = _all_named(connection), read_uses(connection)
        # Sorted here: PostgreSQL's order of text depends on its locale.
        return tuple(self._entry(row, named, uses) for row in sorted(rows, key=lambda row: (row.name, -row.version)))

    def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """As PromptStore."""
        with self.database.write() as connection:
            revision = self._revision(connection, for_update=True)
            before = _named(connection, name, promotion.alias)
            version = self._version(connection, name, promotion, before)
            after = promoted(before, version, promotion.shadow_share, f"{name}@{promotion.alias}")
            if after != before:
                note = f"version {version} took over {promotion.alias}"
                self._settle(connection, (name, promotion.alias), before, after, ("superseded", note))
                connection.execute(prompts_head.update().values(revision=revision + 1))
            return self._find(connection, name, version)

    def rollback_prompt(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """As PromptStore."""
        with self.database.write() as connection:
            revision = self._revision(connection, for_update=True)
            before = _named(connection, name, alias)
            if before is None:
                raise _unknown_alias(connection, name, alias)
            after = rolled_back(before, version, f"{name}@{alias}")
            note = f"taken back from {alias}"
            self._settle(connection, (name, alias), before, after, ("rolled_back", note))
            connection.execute(prompts_head.update().values(revision=revision + 1))
            return self._find(connection, name, after.version)

    def add_uses(self, uses: Sequence[PromptUse]) -> None:
        """Add what requests came to."""
        if uses:
            add_uses(self.database, uses)

    def _version(self, connection: Connection, name: str, promotion: PromptPromotion, before: Named | None) -> int:
        """The kept version that is promoted: found, or added."""
        if promotion.release is None:
            assert promotion.version is not None  # noqa: S101 - the contract's own rule
            return self._find(connection, name, promotion.version).release.version
        in_place = before and (before.version if promotion.shadow_share is None else before.shadow_version)
        if in_place and says_the_same(self._find(connection, name, in_place).release, promotion.release):
            return in_place
        newest = connection.scalar(select(func.max(prompts.c.version)).where(prompts.c.name == name)) or 0
        given = {"name": name, "version": newest + 1, "created_at_s": self._clock()}
        release = PromptRelease(
            **{**dict(promotion.release), **given, "content_hash": content_hash_of(promotion.release)}
        )
        values = {"name": name, "version": release.version, "state": "stored", "release": release.model_dump_json()}
        connection.execute(prompts.insert().values(values))
        return release.version

    def _settle(
        self,
        connection: Connection,
        key: tuple[str, str],
        before: Named | None,
        after: Named,
        fallen: tuple[PromptState, str],
    ) -> None:
        """Write the alias, and what that makes of each version it used or uses; `fallen` where nothing names it now."""
        name, alias = key
        values = {
            "version": after.version,
            "trail": json.dumps(after.trail),
            "shadow_version": after.shadow_version,
            "shadow_share": after.shadow_share,
        }
        if before is None:
            connection.execute(prompt_aliases.insert().values(name=name, alias=alias, **values))
        else:
            where = (prompt_aliases.c.name == name) & (prompt_aliases.c.alias == alias)
            connection.execute(prompt_aliases.update().where(where).values(values))
        named = _all_named(connection)
        for version in sorted(after.versions | (before.versions if before else set())):
            row = _row(connection, name, version)
            state = state_of(version, [one for (of, _), one in named.items() if of == name]) or fallen[0]
            if state == row.state:
                continue
            is_used = state in ("live", "shadow")
            changes = {"applied_at_s": self._clock(), "note": None} if is_used else {"note": fallen[1]}
            connection.execute(prompts.update().where(prompts.c.seq == row.seq).values(state=state, **changes))

    def _find(self, connection: Connection, name: str, version: int) -> PromptEntry:
        return self._entry(_row(connection, name, version), _all_named(connection), read_uses(connection))

    def _entry(
        self, row: Row[Any], named: dict[tuple[str, str], Named], uses: dict[PromptTag, PromptCounts]
    ) -> PromptEntry:
        mine = {alias: one for (name, alias), one in sorted(named.items()) if name == row.name}
        return PromptEntry(
            release=self._release(row),
            aliases=tuple(alias for alias, one in mine.items() if one.version == row.version),
            shadow_of=tuple(alias for alias, one in mine.items() if one.shadow_version == row.version),
            state=row.state,
            applied_at_s=row.applied_at_s,
            note=row.note,
            answers=uses.get(PromptTag(name=row.name, version=row.version), PromptCounts()),
            shadows=uses.get(PromptTag(name=row.name, version=row.version, is_shadow=True), PromptCounts()),
        )

    def _release(self, row: Row[Any]) -> PromptRelease:
        try:
            return PromptRelease.model_validate_json(row.release)
        except ValidationError as error:
            raise StorageError(
                f"{self.database.label}: stored prompt {row.name!r} version {row.version} cannot be read: "
                f"{error.errors()[0]['msg']}; put a backup in place",
                database=self.database.label,
            ) from error

    def _revision(self, connection: Connection, for_update: bool = False) -> int:
        query = select(prompts_head.c.revision)
        revision = connection.execute(query.with_for_update() if for_update else query).scalar_one_or_none()
        if revision is None:
            raise StorageError(
                f"{self.database.label}: the row with the prompts' revision is gone; put a backup in place",
                database=self.database.label,
            )
        return int(revision)


def _all_named(connection: Connection) -> dict[tuple[str, str], Named]:
    rows: Iterable[Row[Any]] = connection.execute(select(prompt_aliases)).all()
    return {
        (row.name, row.alias): Named(row.version, tuple(json.loads(row.trail)), row.shadow_version, row.shadow_share)
        for row in rows
    }


def _named(connection: Connection, name: str, alias: str) -> Named | None:
    return _all_named(connection).get((name, alias))


def _row(connection: Connection, name: str, version: int) -> Row[Any]:
    row = connection.execute(select(prompts).where(prompts.c.name == name, prompts.c.version == version)).one_or_none()
    if row is not None:
        return row
    versions = connection.scalars(select(prompts.c.version).where(prompts.c.name == name)).all()
    if not versions:
        raise _unknown_name(connection, name)
    raise no_version(name, version, versions)


def _unknown_name(connection: Connection, name: str) -> NotFound:
    return no_prompt(name, connection.scalars(select(prompts.c.name)))


def _unknown_alias(connection: Connection, name: str, alias: str) -> NotFound:
    known = [of for (one, of) in _all_named(connection) if one == name]
    return no_alias(name, alias, known) if known else _unknown_name(connection, name)
