"""A server's run that proved a winner registers it through the desk: MLflow's registry and the store."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.prompt_work import DeskRegistry
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.prompts.deliver import Outlets, read_result
from neuroforge.prompts.registry import ReleaseRegistry
from neuroforge.storage.store import open_store
from tests.unit.prompts.test_deliver import optimized
from tests.unit.prompts.test_registry import History, Store, new


@dataclass
class Desk:
    """PromptDesk as the cluster's: the store is read, the registry changes."""

    registry: ReleaseRegistry

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        return await self.registry.store.list_prompts()

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        return await self.registry.promote(name, promotion)

    async def rollback(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        return await self.registry.rollback(name, alias, version)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(open_store(f"sqlite:///{tmp_path / 'n.db'}", lambda: 5.0).prompts)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def desk(store: Store, history: History) -> Desk:
    return Desk(ReleaseRegistry(store, history))


async def test_a_proven_winner_is_in_both_under_its_alias(
    tmp_path: Path, desk: Desk, store: Store, history: History
) -> None:
    found = await optimized(tmp_path / "run", Outlets(DeskRegistry(desk)), alias="staging")

    (kept,) = store.prompts.list_prompts()
    assert found.registered == kept
    assert (kept.release.version, kept.aliases, kept.release.tracked_as) == (1, ("staging",), "prompts:/t/1")
    assert kept.release.evidence == f"optimization:{found.id}"
    assert history.aliases == {("t", "staging"): "prompts:/t/1"}
    assert history.versions["prompts:/t/1"].messages == kept.release.messages


async def test_with_mlflow_down_neither_has_it_and_the_next_start_makes_up_for_it(
    tmp_path: Path, desk: Desk, store: Store, history: History
) -> None:
    history.broken = {"move_alias"}
    first = await optimized(tmp_path / "run", Outlets(DeskRegistry(desk)))
    assert (first.is_promoted, first.registered) == (True, None)
    assert "proven, but not registered: MLflow at x did not take move_alias" in first.warnings[-1]
    assert (store.prompts.list_prompts(), history.versions) == ((), {})

    history.broken = set()
    second = await optimized(tmp_path / "run", Outlets(DeskRegistry(desk)))
    assert second.registered == store.prompts.list_prompts()[0]
    assert history.aliases == {("t", "production"): second.registered.release.tracked_as}


async def test_what_was_registered_before_a_cut_is_not_registered_twice(
    tmp_path: Path, desk: Desk, store: Store, history: History
) -> None:
    """Killed between the registry's answer and the result's last writing: the run does not know that it is there."""
    first = await optimized(tmp_path / "run", Outlets(DeskRegistry(desk)))
    second = await optimized(tmp_path / "again", Outlets(DeskRegistry(desk)))

    assert read_result(tmp_path / "again") == second
    assert second.registered == first.registered
    assert (history.n_recorded, store.prompts.revision()) == (1, 1)


async def test_a_share_puts_it_beside_what_is_served(desk: Desk, store: Store) -> None:
    registry = DeskRegistry(desk)
    first, second = new("1").release, new("2").release
    assert first is not None
    assert second is not None
    await registry.promote(first)

    entry = await registry.promote(second, shadow_share=0.25)

    assert (entry.state, entry.shadow_of) == ("shadow", ("production",))
    (alias,) = store.prompts.snapshot().aliases
    assert (alias.version, alias.shadow_version, alias.shadow_share) == (1, 2, 0.25)
