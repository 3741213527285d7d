"""What requests of each version of a prompt came to, summed."""

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from neuroforge.contracts.prompt_serving import PromptUse
from neuroforge.contracts.prompts import PromptCounts
from neuroforge.contracts.routing import PromptTag
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import prompt_uses

_KEY = ("name", "version", "is_shadow")
_SUMS = tuple(PromptCounts.model_fields)


def add_uses(database: Database, uses: Sequence[PromptUse]) -> None:
    """Add to the sums, in one transaction."""
    insert = postgresql.insert if database.is_postgresql else sqlite.insert
    with database.write() as connection:
        for use in uses:
            key = {"name": use.tag.name, "version": use.tag.version, "is_shadow": int(use.tag.is_shadow)}
            statement = insert(prompt_uses).values(**key, **use.counts.model_dump())
            sums = {name: prompt_uses.c[name] + statement.excluded[name] for name in _SUMS}
            connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=sums))


def read_uses(connection: Connection) -> dict[PromptTag, PromptCounts]:
    """Return the sums of every version that had requests."""
    rows = connection.execute(select(prompt_uses)).all()
    return {
        PromptTag(name=row.name, version=row.version, is_shadow=bool(row.is_shadow)): PromptCounts(
            **{name: getattr(row, name) for name in _SUMS}
        )
        for row in rows
    }
