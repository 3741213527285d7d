"""Facts about routing rules at rest that hold on every database."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from neuroforge.contracts.rules import Estimate, Pin, RoutingRules, RulesEntry
from neuroforge.errors import ConflictError, NotFound, StorageError
from neuroforge.storage.rules import SqlRulesTable
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, execute


@pytest.fixture
def table(store: SqlStore) -> SqlRulesTable:
    return SqlRulesTable(store.database)


def entry(proposal_id: str = "rules-1", state: str = "proposed", **changes: Any) -> RulesEntry:
    rules = RoutingRules(reason=f"for {proposal_id}", pins=(Pin(model_id="müller", task="code"),))
    return RulesEntry(**{"rules": rules, "proposal_id": proposal_id, "state": state, **changes})


def applied(proposal_id: str, **changes: Any) -> RulesEntry:
    return entry(proposal_id, "applied", applied_at_s=5.0, **changes)


class TestRules:
    def test_a_new_database_has_no_rules(self, table: SqlRulesTable) -> None:
        assert (table.list_entries(), table.find_in_force()) == ((), None)

    def test_a_proposal_reads_back_equal_after_a_restart(self, target: Target) -> None:
        wanted = entry(note="why", shadow=Estimate(mean=0.1, low=0.05, high=0.15, n=3), base_version=7)
        first = target.open()
        SqlRulesTable(first.database).add(wanted)
        first.close()

        assert SqlRulesTable(target.open().database).find("rules-1") == wanted

    def test_the_newest_proposal_comes_first(self, table: SqlRulesTable) -> None:
        for number in (2, 1, 3):
            table.add(entry(f"rules-{number}"))

        assert [one.proposal_id for one in table.list_entries()] == ["rules-3", "rules-1", "rules-2"]

    def test_an_unknown_proposal_is_not_found(self, table: SqlRulesTable) -> None:
        with pytest.raises(NotFound, match=r"'rules-x'.*rules list"):
            table.find("rules-x")
        with pytest.raises(NotFound, match="'rules-x'"):
            table.replace(entry("rules-x"), ("proposed",))

    def test_a_proposal_changes_only_from_an_expected_state(self, table: SqlRulesTable) -> None:
        table.add(entry())
        table.replace(entry(state="shadow"), ("proposed",))

        with pytest.raises(ConflictError, match="rules-1 is shadow; to become refused it must be proposed"):
            table.replace(entry(state="refused"), ("proposed",))
        assert table.find("rules-1").state == "shadow"

    def test_versions_are_given_in_order_and_the_newest_counts(self, table: SqlRulesTable) -> None:
        table.add(entry("rules-1"))
        first = table.put_in_force(applied("rules-1"), 0)
        second = table.put_in_force(applied("rules-2"), 1)

        assert (first.rules.version, second.rules.version) == (1, 2)
        assert table.find_in_force() == second
        assert [one.rules.version for one in table.list_entries()] == [2, 1]

    def test_what_was_in_force_is_superseded_or_rolled_back(self, table: SqlRulesTable) -> None:
        table.put_in_force(applied("rules-1"), None)
        table.put_in_force(applied("rules-2"), None)
        table.put_in_force(applied("rules-3", restored_version=1), None)

        assert [(one.state, one.note) for one in table.list_entries()] == [
            ("applied", None),
            ("rolled_back", "version 3 took over: for rules-3"),
            ("superseded", "version 2 took over: for rules-2"),
        ]

    def test_another_version_in_force_is_a_conflict_and_changes_nothing(self, table: SqlRulesTable) -> None:
        table.add(entry("rules-2"))
        table.put_in_force(applied("rules-1"), 0)

        with pytest.raises(ConflictError, match="version 1 is in force, but the proposal was compared with version 0"):
            table.put_in_force(applied("rules-2"), 0)
        assert [one.state for one in table.list_entries()] == ["applied", "proposed"]

    def test_a_proposal_is_applied_once(self, table: SqlRulesTable) -> None:
        table.put_in_force(applied("rules-1"), None)

        with pytest.raises(ConflictError, match="rules-1 was applied before, as version 1"):
            table.put_in_force(applied("rules-1"), None)

    def test_of_several_that_apply_at_once_on_one_base_exactly_one_wins(self, target: Target) -> None:
        tables = [SqlRulesTable(target.open().database) for _ in range(4)]

        def apply(number: int) -> bool:
            try:
                tables[number % 4].put_in_force(applied(f"rules-{number}"), 0)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(max_workers=8) as pool:
            assert sum(pool.map(apply, range(8))) == 1
        assert [one.state for one in tables[0].list_entries()] == ["applied"]

    def test_forced_ones_at_once_get_different_versions_and_one_is_in_force(self, target: Target) -> None:
        tables = [SqlRulesTable(target.open().database) for _ in range(4)]

        def apply(number: int) -> int:
            return tables[number % 4].put_in_force(applied(f"rules-{number}"), None).rules.version

        with ThreadPoolExecutor(max_workers=8) as pool:
            assert sorted(pool.map(apply, range(8))) == [1, 2, 3, 4, 5, 6, 7, 8]
        entries = tables[0].list_entries()
        assert [one.rules.version for one in entries if one.state == "applied"] == [8]

    def test_an_unreadable_entry_is_named(self, table: SqlRulesTable) -> None:
        table.add(entry())
        execute(table.database, "UPDATE nf_rules SET entry = '{}'")

        with pytest.raises(StorageError, match="'rules-1' cannot be read"):
            table.list_entries()

    def test_rules_in_force_whose_row_is_gone_are_an_error_not_the_defaults(self, table: SqlRulesTable) -> None:
        table.put_in_force(applied("rules-1"), None)
        execute(table.database, "DELETE FROM nf_rules")

        with pytest.raises(StorageError, match="version 1 of the routing rules is in force, but its row is gone"):
            table.find_in_force()
