from dataclasses import dataclass, field
from typing import Any

import pytest

from neuroforge.contracts.prompts import OptimizationResult, OptimizeConfig, PromptEntry, PromptRelease
from neuroforge.errors import StorageError
from neuroforge.prompts.register import register
from tests.unit.gateway.fakes_prompt_runs import CONFIG, RESULT


@dataclass
class FakeRegistry:
    refusal: Exception | None = None
    promoted: list[tuple[str, str]] = field(default_factory=list)

    async def promote(self, release: PromptRelease, alias: str) -> PromptEntry:
        if self.refusal is not None:
            raise self.refusal
        self.promoted.append((release.name, alias))
        return PromptEntry(release=PromptRelease(**{**dict(release), "version": 3}))


def config(**changes: Any) -> OptimizeConfig:
    return OptimizeConfig(**{**dict(CONFIG), **changes})


def proven() -> OptimizationResult:
    return OptimizationResult(**{**dict(RESULT), "is_promoted": True})


async def test_a_proven_winner_is_served_under_the_alias() -> None:
    registry = FakeRegistry()
    told = await register(config(alias="staging"), proven(), registry)
    assert (told, registry.promoted) == ("served as prompt:sense@staging, version 3", [("sense", "staging")])


@pytest.mark.parametrize(("wanted", "result"), [(config(), RESULT), (config(promote=False), proven())])
async def test_what_is_not_proven_or_not_wanted_is_not_served(
    wanted: OptimizeConfig, result: OptimizationResult
) -> None:
    registry = FakeRegistry()
    assert (await register(wanted, result, registry), registry.promoted) == (None, [])


async def test_a_promotion_that_fails_says_why_and_what_to_do() -> None:
    told = await register(config(), proven(), FakeRegistry(StorageError("MLflow is down")))
    assert told == "proven, but not served: MLflow is down; promote it later: neuroforge prompts promote"
