from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from neuroforge.contracts.rules import Estimate, Exclusion, Insight, Pin, RoutingRules
from neuroforge.errors import ConflictError, NotFound, RequestError
from neuroforge.router.rulebook import Rulebook
from neuroforge.router.scored import ScoredDecision
from neuroforge.router.shadow import FLUSH_S, Tally, resumed
from neuroforge.storage.engine import Database, open_database
from neuroforge.storage.migrate import migrate
from neuroforge.storage.rules import SqlRulesTable
from tests.fakes import FakeClock
from tests.unit.router.logged import decision, drawn, scored, view

PIN_A = RoutingRules(reason="a is better", pins=(Pin(model_id="a", task="code"),))
PIN_B = RoutingRules(reason="b is better", pins=(Pin(model_id="b", task="code"),))
EVEN = {"a": 0.5, "b": 0.5}


@dataclass
class Desk:
    """A rulebook on a database, with a log that tests fill."""

    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    log: list[ScoredDecision] = field(default_factory=list)

    def open(self) -> Rulebook:
        return Rulebook(SqlRulesTable(self.database), self.clock, lambda n: self.log[-n:])

    def fill(self, quality_a: float, quality_b: float, n: int = 400) -> None:
        """`n` answers of each model; of ten answers `quality` times ten are good."""
        for model_id, quality in (("a", quality_a), ("b", quality_b)):
            self.log += [scored(model_id, float(number % 10 < quality * 10), EVEN) for number in range(n)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = open_database(f"sqlite:///{tmp_path / 'rules.db'}")
    migrate(database)
    yield Desk(database)
    database.close()


def insight(mean: float) -> Insight:
    difference = Estimate(mean=mean, low=mean - 0.02, high=mean + 0.02, n=200)
    return Insight(model_id="a", other_model_id="b", task="code", difference=difference, source="exp-1")


def test_before_any_rules_the_defaults_are_in_force(desk: Desk) -> None:
    book = Rulebook(SqlRulesTable(desk.database), desk.clock, lambda n: [], RoutingRules(holdout_share=0.2))
    assert (book.live.version, book.live.holdout_share) == (0, 0.2)
    assert [(one.proposal_id, one.state, one.rules.version) for one in book.list_rules()] == [
        ("defaults", "applied", 0)
    ]


def test_a_proposal_is_replayed_and_has_no_effect(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    entry = book.propose_rules(PIN_A)
    assert (entry.state, entry.base_version, entry.rules.version, entry.rules.created_at_s) == ("proposed", 0, 0, 1000)
    assert entry.replay is not None
    assert entry.replay.difference.mean == pytest.approx(0.25)
    assert (entry.replay.effective_sample_size, entry.replay.n_changed) == (pytest.approx(400), 800)
    assert (book.live.version, book.list_rules()[:-1]) == (0, (entry,))


def test_on_too_few_outcomes_a_proposal_is_refused_with_the_number(desk: Desk) -> None:
    desk.fill(0.9, 0.4, n=99)
    entry = desk.open().propose_rules(PIN_A)
    assert entry.state == "refused"
    assert str(entry.note).startswith("not enough evidence: effective sample size 99.0 over 198 decisions")


def test_a_proposal_that_certainly_loses_is_refused(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    entry = desk.open().propose_rules(PIN_B)
    assert (entry.state, str(entry.note)[:40]) == ("refused", "the replay shows a loss of quality: -0.2")


def test_what_is_demanded_already_cannot_be_proposed(desk: Desk) -> None:
    with pytest.raises(RequestError, match="demand what version 0, which is in force, demands already"):
        desk.open().propose_rules(RoutingRules(reason="again"))


def test_a_proposal_keeps_shares_and_floor_that_it_does_not_name(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    book.apply_rules(book.propose_rules(RoutingRules(holdout_share=0.2, pins=PIN_A.pins)).proposal_id)
    second = book.propose_rules(RoutingRules(explore=False))
    assert (second.rules.holdout_share, second.rules.explore, second.rules.pins) == (0.2, False, ())


def test_applied_rules_are_in_force_and_stay_so_after_a_restart(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    desk.clock.advance(5)
    applied = book.apply_rules(book.propose_rules(PIN_A).proposal_id)
    assert (applied.state, applied.rules.version, applied.applied_at_s, applied.note) == ("applied", 1, 1005, None)
    assert book.live == applied.rules
    assert desk.open().live == applied.rules


def test_refused_rules_are_not_applied_unless_forced_and_then_say_so(desk: Desk) -> None:
    book = desk.open()
    proposal_id = book.propose_rules(PIN_A).proposal_id
    with pytest.raises(ConflictError, match=rf"{proposal_id} is refused: not enough evidence: .*; force it"):
        book.apply_rules(proposal_id)
    assert book.live.version == 0
    forced = book.apply_rules(proposal_id, force=True)
    assert (book.live.version, str(forced.note)[:35]) == (1, "forced against: not enough evidence")


def test_rules_that_were_refused_for_lack_of_evidence_apply_once_it_is_there(desk: Desk) -> None:
    book = desk.open()
    proposal_id = book.propose_rules(PIN_A).proposal_id
    desk.fill(0.9, 0.4)
    assert book.apply_rules(proposal_id).state == "applied"


def test_evidence_that_turned_since_the_proposal_refuses_it(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    proposal_id = book.propose_rules(PIN_A).proposal_id
    desk.log.clear()
    desk.fill(0.4, 0.9)
    with pytest.raises(ConflictError, match="loss of quality"):
        book.apply_rules(proposal_id)
    assert book.list_rules()[0].state == "refused"


def test_a_proposal_against_older_rules_is_a_conflict_unless_forced(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    first, second = book.propose_rules(PIN_A), book.propose_rules(RoutingRules(pins=(Pin(model_id="a"),)))
    book.apply_rules(first.proposal_id)
    with pytest.raises(ConflictError, match="version 1 is in force, but the proposal was compared with version 0"):
        book.apply_rules(second.proposal_id)
    assert book.apply_rules(second.proposal_id, force=True).rules.version == 2


def test_applied_rules_cannot_be_applied_or_shadowed_again(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    proposal_id = book.propose_rules(PIN_A).proposal_id
    book.apply_rules(proposal_id)
    with pytest.raises(ConflictError, match="is applied: propose its rules again, or roll back"):
        book.apply_rules(proposal_id)
    with pytest.raises(ConflictError, match="is applied; to become shadow it must be proposed or shadow"):
        book.shadow_rules(proposal_id)


@pytest.fixture
def history(desk: Desk) -> Rulebook:
    """Version 1 pins a, version 2 pins b."""
    book = desk.open()
    for rules in (PIN_A, PIN_B):
        book.apply_rules(book.propose_rules(rules).proposal_id, force=True)
    return book


def test_a_rollback_is_a_new_version_with_the_old_demands(history: Rulebook) -> None:
    entry = history.rollback_rules()
    assert (entry.rules.version, entry.rules.pins, entry.restored_version) == (3, PIN_A.pins, 1)
    assert (entry.rules.reason, history.live.version) == ("rollback to version 1", 3)
    assert [one.state for one in history.list_rules()] == ["applied", "rolled_back", "superseded", "superseded"]


def test_rolling_back_again_goes_further_back_not_to_what_was_rolled_back(history: Rulebook) -> None:
    history.rollback_rules()
    entry = history.rollback_rules()
    assert (entry.rules.version, entry.rules.pins, entry.restored_version) == (4, (), 0)
    with pytest.raises(ConflictError, match="what version 0 demands is in force already"):
        history.rollback_rules()


def test_a_rollback_may_name_any_version(history: Rulebook) -> None:
    assert history.rollback_rules(0).rules.pins == ()
    assert history.rollback_rules(2).rules.pins == PIN_B.pins
    with pytest.raises(NotFound, match=r"version 9 was never in force; known: 0 \(the defaults\), 1, 2, 3, 4"):
        history.rollback_rules(9)


def test_without_rules_there_is_nothing_to_roll_back(desk: Desk) -> None:
    with pytest.raises(ConflictError, match="no rules were ever applied"):
        desk.open().rollback_rules()


def test_proven_insights_are_applied(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    entry = book.update_rules((insight(0.05),), ("a", "b"))
    assert (entry.state, entry.rules.evidence, book.live.pins) == ("applied", "exp-1", PIN_A.pins)


def test_insights_that_the_log_does_not_prove_come_back_refused_with_the_reason(desk: Desk) -> None:
    desk.fill(0.5, 0.5)
    book = desk.open()
    entry = book.update_rules((insight(0.05),), ("a", "b"))
    assert (entry.state, str(entry.note)[:49]) == ("refused", "not proven: the gain on logged outcomes is +0.000")
    assert (book.live.version, book.list_rules()[:-1]) == (0, (entry,))


def test_unproven_insights_may_run_in_shadow(desk: Desk) -> None:
    book = desk.open()
    entry = book.update_rules((insight(0.05),), ("a", "b"), shadow=True)
    assert (entry.state, str(entry.note)[:19]) == ("shadow", "not enough evidence")
    assert book.list_rules()[:-1] == (entry,)


def test_insights_that_the_log_contradicts_are_refused_even_for_the_shadow(desk: Desk) -> None:
    desk.fill(0.4, 0.9)
    assert desk.open().update_rules((insight(0.05),), ("a", "b"), shadow=True).state == "refused"


def test_rules_in_shadow_gather_their_predicted_gain_without_effect(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    entry = book.shadow_rules(book.propose_rules(PIN_A).proposal_id)
    # half of the choices go from 0.5 to 0.7: 0.1 each; math is not touched: 0
    book.observe([drawn("b", EVEN, a=0.7, b=0.5), drawn("a", EVEN, task="math"), decision("a", view("a"), task=None)])
    found = book.list_rules()[0].shadow
    assert found is not None
    assert (found.n, found.mean) == (3, pytest.approx(0.1 / 3))
    assert (entry.state, book.live.version) == ("shadow", 0)


def test_a_shadow_is_written_every_few_seconds_and_survives_a_restart(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    book.shadow_rules(book.propose_rules(PIN_A).proposal_id)
    seen = [drawn("b", EVEN, a=quality, b=0.5) for quality in (0.5, 0.6, 0.9)]
    book.observe(seen[:1])
    assert SqlRulesTable(desk.database).list_entries()[0].shadow is None
    desk.clock.advance(FLUSH_S)
    book.observe(seen[1:2])
    again = desk.open()
    again.observe(seen[2:])
    found = again.list_rules()[0].shadow
    assert found is not None
    assert (found.n, found.mean) == (3, pytest.approx(0.25 / 3))


def test_a_shadow_starts_again_when_other_rules_come_in_force(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    book.shadow_rules(book.propose_rules(PIN_A).proposal_id)
    book.observe([drawn("b", EVEN, a=0.7, b=0.5)])
    book.apply_rules(book.propose_rules(RoutingRules(explore=False)).proposal_id, force=True)
    assert book.list_rules()[1].shadow is None
    book.observe([drawn("b", EVEN, a=0.7, b=0.5)])
    found = book.list_rules()[1].shadow
    assert found is not None
    assert (found.n, found.mean) == (1, 0)  # without exploration a is certain already


def test_applied_rules_leave_the_shadow_with_what_they_gathered(desk: Desk) -> None:
    desk.fill(0.9, 0.4)
    book = desk.open()
    proposal_id = book.shadow_rules(book.propose_rules(PIN_A).proposal_id).proposal_id
    book.observe([drawn("b", EVEN, a=0.7, b=0.5)] * 2)
    applied = book.apply_rules(proposal_id)
    book.observe([drawn("b", EVEN, a=0.7, b=0.5)])
    assert (applied.state, applied.shadow and applied.shadow.n) == ("applied", 2)
    assert book.list_rules()[:-1] == (applied,)


def test_a_tally_goes_on_from_its_own_estimate() -> None:
    whole, first = Tally(), Tally()
    for value in (0.1, 0.3, -0.2, 0.4):
        whole.add(value)
    for value in (0.1, 0.3):
        first.add(value)
    second = resumed(first.estimate())
    for value in (-0.2, 0.4):
        second.add(value)
    assert second.mean == pytest.approx(whole.mean)
    assert second.squares == pytest.approx(whole.squares)


def test_excluding_a_model_that_is_hardly_ever_drawn_has_enough_evidence(desk: Desk) -> None:
    shares = {"a": 0.99, "b": 0.01}
    desk.log += [scored("a", float(number % 2), shares, a=0.5, b=0.45) for number in range(300)]
    entry = desk.open().propose_rules(RoutingRules(exclusions=(Exclusion(model_id="b"),)))
    assert entry.state == "proposed"
    assert entry.replay is not None
    assert entry.replay.effective_sample_size == pytest.approx(300)
