"""Facts about live tests at rest that hold on every database."""

import pytest

from neuroforge.errors import ConflictError, NotFound
from neuroforge.storage.live_tests import Seen, SqlLiveTests
from neuroforge.storage.store import SqlStore


@pytest.fixture
def live_tests(store: SqlStore) -> SqlLiveTests:
    return SqlLiveTests(store.database)


class TestLiveTests:
    def test_entries_come_in_the_order_of_creation(self, live_tests: SqlLiveTests) -> None:
        live_tests.add("b", "running", "first")
        live_tests.add("a", "running", "second")

        assert live_tests.list_entries() == ("first", "second")

    def test_a_name_is_given_once(self, live_tests: SqlLiveTests) -> None:
        live_tests.add("a", "running", "first")

        with pytest.raises(ConflictError, match="'a' already"):
            live_tests.add("a", "running", "second")

    def test_what_is_saved_takes_the_old_ones_place(self, live_tests: SqlLiveTests) -> None:
        live_tests.add("a", "running", "first")
        live_tests.save("a", "stopped", "second", {})

        assert live_tests.list_entries() == ("second",)

    def test_a_test_that_is_not_there_cannot_be_saved(self, live_tests: SqlLiveTests) -> None:
        with pytest.raises(NotFound, match="'a'"):
            live_tests.save("a", "running", "first", {"u": Seen("local", 1.0)})
        assert live_tests.known_units("a", ["u"]) == set()

    def test_units_are_known_by_their_test(self, live_tests: SqlLiveTests) -> None:
        for name in ("a", "b"):
            live_tests.add(name, "running", name)
        live_tests.save("a", "running", "a", {f"{number:04d}": Seen("local", 1.0) for number in range(1_200)})

        wanted = [f"{number:04d}" for number in range(1_190, 1_210)]

        assert live_tests.known_units("a", wanted) == set(wanted[:10])
        assert live_tests.known_units("b", wanted) == set()
