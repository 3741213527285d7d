"""MLflow and store are changed both or neither, and the way back does not wait for MLflow."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry, PromptMessage, PromptRelease
from neuroforge.errors import ConflictError, EngineUnavailable, NotFound, RequestError, StorageError
from neuroforge.prompts.registry import N_TRIES, ReleaseRegistry
from neuroforge.storage.prompts import SqlPrompts
from neuroforge.storage.store import open_store


@dataclass
class Store:
    """PromptStore on a real database, that may be away."""

    prompts: SqlPrompts
    error: Exception | None = None
    n_silent: int = 0
    """Changes that come through, but whose answer gets lost."""
    n_lost: int = 0
    """Promotions after those that do not come through, without an answer either."""

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        return self.prompts.list_prompts()

    async def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        if self.error is not None:
            raise self.error
        if self.n_silent:
            self.n_silent -= 1
            self.prompts.promote_prompt(name, promotion)
            raise EngineUnavailable("the state actor does not answer")
        if self.n_lost:
            self.n_lost -= 1
            raise EngineUnavailable("the state actor does not answer")
        return self.prompts.promote_prompt(name, promotion)

    async def rollback_prompt(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        if self.n_silent:
            self.n_silent -= 1
            self.prompts.rollback_prompt(name, alias, version)
            raise EngineUnavailable("the state actor does not answer")
        return self.prompts.rollback_prompt(name, alias, version)


@dataclass
class History:
    """PromptHistory in memory; what stands in `broken` fails."""

    versions: dict[str, PromptRelease] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    n_recorded: int = 0

    def record(self, release: PromptRelease) -> str:
        self._check("record")
        self.n_recorded += 1
        address = f"prompts:/{release.name}/{self.n_recorded}"
        self.versions[address] = release
        return address

    def forget(self, address: str) -> None:
        self._check("forget")
        del self.versions[address]

    def move_alias(self, name: str, alias: str, address: str | None) -> str | None:
        self._check("move_alias")
        former = self.aliases.pop((name, alias), None)
        if address is not None:
            self.aliases[name, alias] = address
        return former

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise StorageError(f"MLflow at x did not take {what}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(open_store(f"sqlite:///{tmp_path / 'n.db'}", lambda: 5.0).prompts)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def registry(store: Store, history: History) -> ReleaseRegistry:
    return ReleaseRegistry(store, history)


def new(text: str, **how: Any) -> PromptPromotion:
    messages = (PromptMessage(role="user", content=f"{text} {{{{ query }}}}"),)
    return PromptPromotion(release=PromptRelease(name="p", messages=messages, reason=text), **how)


def served(store: Store) -> dict[str, int]:
    return {one.alias: one.version for one in store.prompts.snapshot().aliases}


async def test_a_promotion_is_in_both_and_each_knows_the_other(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    entry = await registry.promote("p", new("1"))
    assert (entry.state, entry.release.tracked_as, entry.release.variables) == ("live", "prompts:/p/1", ("query",))
    assert history.aliases == {("p", "production"): "prompts:/p/1"}
    assert served(store) == {"production": 1}


async def test_without_tracking_the_store_alone_is_told(store: Store) -> None:
    entry = await ReleaseRegistry(store, None).promote("p", new("1"))
    assert (entry.state, entry.release.tracked_as) == ("live", None)
    assert (await ReleaseRegistry(store, None).promote("p", PromptPromotion(version=1))).state == "live"


@pytest.mark.parametrize("broken", ["record", "move_alias"])
async def test_with_mlflow_down_nothing_is_promoted(
    registry: ReleaseRegistry, store: Store, history: History, broken: str
) -> None:
    await registry.promote("p", new("1"))
    history.broken = {broken}
    with pytest.raises(StorageError, match=f"did not take {broken}"):
        await registry.promote("p", new("2"))
    assert served(store) == {"production": 1}
    assert [one.release.version for one in store.prompts.list_prompts()] == [1]
    assert list(history.versions) == ["prompts:/p/1"]
    assert history.aliases == {("p", "production"): "prompts:/p/1"}


async def test_with_the_store_down_mlflow_is_put_back(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    store.error = StorageError("disk is full")
    with pytest.raises(StorageError, match="disk is full"):
        await registry.promote("p", new("2"))
    assert list(history.versions) == ["prompts:/p/1"]
    assert history.aliases == {("p", "production"): "prompts:/p/1"}


async def test_a_first_promotion_that_fails_leaves_no_alias(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    store.error = StorageError("disk is full")
    with pytest.raises(StorageError):
        await registry.promote("p", new("1"))
    assert (history.versions, history.aliases) == ({}, {})


async def test_what_cannot_be_put_back_is_told(registry: ReleaseRegistry, store: Store, history: History) -> None:
    store.error = StorageError("disk is full")
    history.broken = {"forget"}
    with pytest.raises(StorageError, match="disk is full; and MLflow could not be put back, prompts:/p/1 stays there"):
        await registry.promote("p", new("1"))


async def test_the_same_release_again_changes_neither(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    first = await registry.promote("p", new("1"))
    assert await registry.promote("p", new("1")) == first
    assert (history.n_recorded, store.prompts.revision()) == (1, 1)


async def test_a_shadow_is_registered_and_takes_the_alias_when_it_is_promoted(
    registry: ReleaseRegistry, history: History
) -> None:
    await registry.promote("p", new("1"))
    shadow = await registry.promote("p", new("2", shadow_share=0.5))
    assert (shadow.state, shadow.release.tracked_as) == ("shadow", "prompts:/p/2")
    assert history.aliases == {("p", "production"): "prompts:/p/1"}
    assert (await registry.promote("p", PromptPromotion(version=2))).state == "live"
    assert history.aliases == {("p", "production"): "prompts:/p/2"}


async def test_a_shadow_of_nothing_leaves_no_trace(registry: ReleaseRegistry, history: History) -> None:
    with pytest.raises(ConflictError, match="stand beside"):
        await registry.promote("p", new("1", shadow_share=0.5))
    assert history.versions == {}


async def test_a_version_that_is_not_kept_is_not_found(registry: ReleaseRegistry) -> None:
    await registry.promote("p", new("1"))
    with pytest.raises(NotFound, match="has no version 9; it has 1"):
        await registry.promote("p", PromptPromotion(version=9))


async def test_a_release_that_cannot_be_served_reaches_neither(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    with pytest.raises(RequestError, match="the path says 'q'"):
        await registry.promote("q", new("1"))
    assert (history.n_recorded, store.prompts.revision()) == (0, 0)


async def test_a_rollback_moves_both_back(registry: ReleaseRegistry, store: Store, history: History) -> None:
    await registry.promote("p", new("1"))
    await registry.promote("p", new("2"))
    entry = await registry.rollback("p", "production")
    assert (entry.release.version, entry.note) == (1, None)
    assert (served(store), history.aliases) == ({"production": 1}, {("p", "production"): "prompts:/p/1"})


async def test_a_version_that_mlflow_does_not_have_takes_its_alias_away(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await ReleaseRegistry(store, None).promote("p", new("1"))
    await registry.promote("p", new("2"))
    await registry.rollback("p", "production")
    assert (served(store), history.aliases) == ({"production": 1}, {})
    await registry.promote("p", PromptPromotion(version=2))
    await registry.promote("p", PromptPromotion(version=1))
    assert (served(store), history.aliases) == ({"production": 1}, {})


async def test_a_rollback_is_served_with_mlflow_down_and_says_what_mlflow_misses(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    await registry.promote("p", new("2"))
    history.broken = {"move_alias"}
    entry = await registry.rollback("p", "production")
    assert served(store) == {"production": 1}
    assert entry.note == (
        "it is served, but MLflow's alias production still names another version: MLflow at x did not take move_alias"
    )


@pytest.mark.parametrize("way", ["n_silent", "n_lost"])
async def test_a_store_that_answers_when_it_is_told_again_has_the_promotion_once(
    registry: ReleaseRegistry, store: Store, history: History, way: str
) -> None:
    setattr(store, way, N_TRIES - 1)
    entry = await registry.promote("p", new("1"))
    assert (entry.release.version, len(store.prompts.list_prompts())) == (1, 1)
    assert history.aliases == {("p", "production"): "prompts:/p/1"}


async def test_what_a_silent_store_has_kept_stays_in_mlflow(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    store.n_silent = N_TRIES
    with pytest.raises(EngineUnavailable, match="has changed is not known: promote it again"):
        await registry.promote("p", new("2"))
    again = await registry.promote("p", new("2"))
    assert (again.release.version, again.release.tracked_as, history.n_recorded) == (2, "prompts:/p/2", 2)
    assert history.aliases == {("p", "production"): "prompts:/p/2"}


async def test_what_a_silent_store_has_not_kept_leaves_mlflow_before_the_next_promotion(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    store.n_lost = N_TRIES
    with pytest.raises(EngineUnavailable):
        await registry.promote("p", new("2"))
    messages = (PromptMessage(role="user", content="{{ query }}"),)
    await registry.promote("q", PromptPromotion(release=PromptRelease(name="q", messages=messages, reason="other")))
    assert history.aliases == {("p", "production"): "prompts:/p/1", ("q", "production"): "prompts:/q/3"}
    assert set(history.versions) == {"prompts:/p/1", "prompts:/q/3"}


async def test_a_shadow_that_a_silent_store_has_not_kept_leaves_no_trace(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    store.n_lost = N_TRIES
    with pytest.raises(EngineUnavailable):
        await registry.promote("p", new("2", shadow_share=0.5))
    await registry.promote("p", new("1"))
    assert (list(history.versions), history.aliases) == (["prompts:/p/1"], {("p", "production"): "prompts:/p/1"})


async def test_a_rollback_of_which_a_silent_store_did_not_tell_is_made_up_for_in_mlflow(
    registry: ReleaseRegistry, store: Store, history: History
) -> None:
    await registry.promote("p", new("1"))
    await registry.promote("p", new("2"))
    store.n_silent = 1
    with pytest.raises(EngineUnavailable, match="was taken back is not known: see neuroforge prompts list"):
        await registry.rollback("p", "production")
    assert served(store) == {"production": 1}
    await registry.promote("p", new("1"))
    assert history.aliases == {("p", "production"): "prompts:/p/1"}
