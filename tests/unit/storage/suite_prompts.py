"""Facts about prompt releases at rest that hold on every database."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompt_serving import PromptAlias, PromptPromotion, PromptUse, content_hash_of
from neuroforge.contracts.prompts import PromptCounts, PromptEntry, PromptMessage, PromptRelease
from neuroforge.contracts.routing import PromptTag
from neuroforge.errors import ConflictError, NotFound, StorageError
from neuroforge.storage.prompts import SqlPrompts
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, execute


@pytest.fixture
def prompts(store: SqlStore) -> SqlPrompts:
    return store.prompts


def release(text: str = "Answer: {{ query }}", name: str = "sense", **changes: Any) -> PromptRelease:
    messages = (PromptMessage(role="user", content=text),)
    values: dict[str, Any] = {"name": name, "messages": messages, "variables": ("query",), "reason": f"for {text}"}
    return PromptRelease(**{**values, **changes})


def promote(prompts: SqlPrompts, text: str, **how: Any) -> PromptEntry:
    given = release(text)
    return prompts.promote_prompt(given.name, PromptPromotion(release=given, **how))


def states(prompts: SqlPrompts) -> list[tuple[int, str]]:
    return [(one.release.version, one.state) for one in prompts.list_prompts()]


class TestPrompts:
    def test_a_new_database_serves_no_prompts(self, prompts: SqlPrompts) -> None:
        found = prompts.snapshot()

        assert (found.revision, found.releases, found.aliases) == (0, (), ())

    def test_a_release_reads_back_equal_after_a_restart(self, target: Target) -> None:
        decoding = Decoding(temperature=0.5, stop=("\n",))
        wanted = release("Ä {{ query }}", decoding=decoding, models=("small",), tags={"data": "abc"}, tracked_as="x/1")
        first = target.open()
        first.prompts.promote_prompt("sense", PromptPromotion(release=wanted))
        first.close()

        (kept,) = target.open().prompts.snapshot().releases
        given = {"version": 1, "content_hash": content_hash_of(wanted), "created_at_s": 1_000_000_000.0}
        assert kept == PromptRelease(**{**dict(wanted), **given})

    def test_each_name_counts_its_own_versions(self, prompts: SqlPrompts) -> None:
        for name, text in (("a", "1"), ("b", "2"), ("a", "3")):
            prompts.promote_prompt(name, PromptPromotion(release=release(text, name)))

        assert [(one.release.name, one.release.version) for one in prompts.list_prompts()] == [
            ("a", 2),
            ("a", 1),
            ("b", 1),
        ]

    def test_the_newest_promotion_answers_and_the_one_before_is_superseded(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        second = promote(prompts, "2")

        assert (second.state, second.aliases, second.applied_at_s) == ("live", ("production",), 1_000_000_000.0)
        assert states(prompts) == [(2, "live"), (1, "superseded")]
        assert prompts.list_prompts()[1].note == "version 2 took over production"
        assert prompts.snapshot().aliases == (PromptAlias(name="sense", alias="production", version=2),)

    def test_the_same_release_again_changes_nothing(self, prompts: SqlPrompts) -> None:
        first = promote(prompts, "1")
        revision = prompts.revision()

        assert promote(prompts, "1", alias="production") == first
        assert (prompts.revision(), states(prompts)) == (revision, [(1, "live")])

    def test_rollbacks_go_back_one_promotion_after_the_other(self, prompts: SqlPrompts) -> None:
        for text in "123":
            promote(prompts, text)

        assert prompts.rollback_prompt("sense", "production").release.version == 2
        assert prompts.rollback_prompt("sense", "production").release.version == 1
        assert states(prompts) == [(3, "rolled_back"), (2, "rolled_back"), (1, "live")]
        with pytest.raises(ConflictError, match="sense@production names version 1, its first"):
            prompts.rollback_prompt("sense", "production")

    def test_a_rollback_may_name_any_version_that_was_live(self, prompts: SqlPrompts) -> None:
        for text in "123":
            promote(prompts, text)

        assert prompts.rollback_prompt("sense", "production", 1).release.version == 1
        with pytest.raises(ConflictError, match=r"never named version 3 \(before now: none\)"):
            prompts.rollback_prompt("sense", "production", 3)

    def test_a_version_number_is_not_given_twice(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        promote(prompts, "2")
        prompts.rollback_prompt("sense", "production")

        assert promote(prompts, "3").release.version == 3

    def test_a_kept_version_is_promoted_by_its_number(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        promote(prompts, "2")

        found = prompts.promote_prompt("sense", PromptPromotion(version=1, alias="staging"))
        assert (found.release.version, found.aliases, found.state) == (1, ("staging",), "live")
        assert prompts.promote_prompt("sense", PromptPromotion(version=1)).aliases == ("production", "staging")

    def test_a_shadow_stands_beside_what_answers_until_it_is_promoted(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        shadow = promote(prompts, "2", shadow_share=0.25)

        assert (shadow.state, shadow.aliases, shadow.shadow_of) == ("shadow", (), ("production",))
        (alias,) = prompts.snapshot().aliases
        assert (alias.version, alias.shadow_version, alias.shadow_share) == (1, 2, 0.25)

        live = prompts.promote_prompt("sense", PromptPromotion(version=2))
        assert (live.state, live.shadow_of) == ("live", ())
        assert states(prompts) == [(2, "live"), (1, "superseded")]

    def test_a_rollback_ends_a_shadow_and_leaves_what_answers(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        promote(prompts, "2", shadow_share=1.0)

        assert prompts.rollback_prompt("sense", "production").release.version == 1
        assert states(prompts) == [(2, "rolled_back"), (1, "live")]

    def test_a_shadow_needs_something_to_stand_beside(self, prompts: SqlPrompts) -> None:
        with pytest.raises(ConflictError, match="sense@production names nothing that a shadow could stand beside"):
            promote(prompts, "1", shadow_share=0.5)

        assert prompts.snapshot().releases == ()

    def test_what_does_not_exist_is_told_with_what_does(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")

        with pytest.raises(NotFound, match="there is no prompt 'sens'; there are: sense"):
            prompts.promote_prompt("sens", PromptPromotion(version=1))
        with pytest.raises(NotFound, match="'sense' has no version 7; it has 1"):
            prompts.promote_prompt("sense", PromptPromotion(version=7))
        with pytest.raises(NotFound, match="'sense' has no alias 'staging'; it has production"):
            prompts.rollback_prompt("sense", "staging")
        with pytest.raises(NotFound, match="there is no prompt 'sens'"):
            prompts.rollback_prompt("sens", "production")

    def test_every_change_raises_the_revision_and_a_refused_one_does_not(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        promote(prompts, "2")
        with pytest.raises(ConflictError):
            prompts.promote_prompt("sense", PromptPromotion(version=2, shadow_share=0.5))
        prompts.rollback_prompt("sense", "production")

        assert prompts.revision() == prompts.snapshot().revision == 3

    def test_promotions_at_once_get_different_versions_and_one_answers(self, target: Target) -> None:
        stores = [target.open().prompts for _ in range(4)]

        def one(number: int) -> int:
            return promote(stores[number % 4], f"text {number}").release.version

        with ThreadPoolExecutor(max_workers=8) as pool:
            assert sorted(pool.map(one, range(8))) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [version for version, state in states(stores[0]) if state == "live"] == [8]

    def test_what_requests_came_to_is_summed_by_version_and_apart_for_shadows(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        promote(prompts, "2", shadow_share=0.5)
        one = PromptCounts(n_requests=3, n_failures=1, latency_s=0.5, n_prompt_tokens=20, n_completion_tokens=8)
        first, second = PromptTag(name="sense", version=1), PromptTag(name="sense", version=2, is_shadow=True)
        prompts.add_uses((PromptUse(tag=first, counts=one), PromptUse(tag=second, counts=one)))
        prompts.add_uses((PromptUse(tag=first, counts=one),))

        newer, older = prompts.list_prompts()
        assert (newer.answers, newer.shadows) == (PromptCounts(), one)
        assert older.answers == PromptCounts(
            n_requests=6, n_failures=2, latency_s=1.0, n_prompt_tokens=40, n_completion_tokens=16
        )

    def test_an_unreadable_release_is_named(self, prompts: SqlPrompts) -> None:
        promote(prompts, "1")
        execute(prompts.database, "UPDATE nf_prompts SET release = '{}'")

        with pytest.raises(StorageError, match="'sense' version 1 cannot be read"):
            prompts.snapshot()
