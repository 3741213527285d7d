"""Live tests at rest, and the units that each has observed."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import select

from neuroforge.errors import ConflictError, NotFound
from neuroforge.storage.engine import Database
from neuroforge.storage.schema import live_test_units, live_tests

_UNITS_AT_ONCE = 500
"""SQLite of older builds takes 999 values a statement."""


class Seen(NamedTuple):
    """Whose unit was observed, and when."""

    actor: str
    at_s: float


class SqlLiveTests:
    """`LiveTestTable` (neuroforge.router.live_tests) on SQL. Entries are texts: what is in them is their owner's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def list_entries(self) -> tuple[str, ...]:
        """Oldest first."""
        with self.database.read() as connection:
            return tuple(connection.scalars(select(live_tests.c.entry).order_by(live_tests.c.seq)))

    def add(self, name: str, state: str, entry: str) -> None:
        """Keep a new test.

        Raises:
            ConflictError: There is one of that name.
        """
        with self.database.write() as connection:
            if connection.scalar(select(live_tests.c.seq).where(live_tests.c.name == name)) is not None:
                raise ConflictError(f"there is a live test {name!r} already: take another name")
            connection.execute(live_tests.insert().values(name=name, state=state, entry=entry))

    def save(self, name: str, state: str, entry: str, new_units: Mapping[str, Seen]) -> None:
        """Put the entry in the old one's place, and note its newly observed units; all or nothing.

        Raises:
            NotFound: There is no such test.
        """
        values = [{"test": name, "unit": unit, "actor": one.actor, "at_s": one.at_s} for unit, one in new_units.items()]
        with self.database.write() as connection:
            update = live_tests.update().where(live_tests.c.name == name).values(state=state, entry=entry)
            if connection.execute(update).rowcount != 1:
                raise NotFound(f"there is no live test {name!r}")
            if values:
                connection.execute(live_test_units.insert(), values)

    def known_units(self, name: str, units: list[str]) -> set[str]:
        """Return those that were observed before."""
        found: set[str] = set()
        columns = live_test_units.c
        with self.database.read() as connection:
            for start in range(0, len(units), _UNITS_AT_ONCE):
                some = units[start : start + _UNITS_AT_ONCE]
                found.update(
                    connection.scalars(select(columns.unit).where(columns.test == name, columns.unit.in_(some)))
                )
        return found
