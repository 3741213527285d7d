"""What a run needs before it can begin: examples, wherever they are, and the models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource
from neuroforge.contracts.models import Capability, EngineKind, ModelState, ModelStatus
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.routing import Decision
from neuroforge.datasets.items_file import digest_of, dump_items
from neuroforge.errors import DataError, ModelNotFound, NotFound
from neuroforge.prompts.run import find_contestants, load_items
from tests.unit.prompts.fakes import FakeModels

ITEMS = tuple(
    DatasetItem(id=str(one), dataset="own", query=f"q{one}", scorer="exact", references=("a",)) for one in range(4)
)
CONTENT = dump_items(ITEMS)


class NoAssets:
    def ensure(self, name: str) -> Path:
        raise AssertionError(f"{name} is not to be fetched")


class Uploaded:
    def read(self, digest: str) -> bytes:
        if digest != digest_of(CONTENT):
            raise NotFound(f"no items with SHA-256 {digest} were uploaded")
        return CONTENT


@dataclass
class TwoModels(FakeModels):
    capabilities: tuple[Capability, ...] = ()

    async def models(self) -> tuple[ModelStatus, ...]:
        return tuple(
            ModelStatus(id=one, engine=EngineKind.LLAMACPP, state=ModelState.READY, capabilities=self.capabilities)
            for one in ("qwen-0.5b", "smol")
        )

    async def route(self, messages: Any, model: str = "auto", **options: Any) -> Decision:
        raise AssertionError("the target is named")


def config(**changes: Any) -> OptimizeConfig:
    source = DatasetSource(name="own", uploaded=digest_of(CONTENT))
    return OptimizeConfig(**{"name": "t", "prompt": "{{ query }}", "dataset": source, **changes})


def test_items_that_were_sent_before_are_found_by_their_digest() -> None:
    assert load_items(config(), NoAssets(), Uploaded()) == ITEMS


def test_as_many_are_drawn_as_asked_for() -> None:
    source = DatasetSource(name="own", uploaded=digest_of(CONTENT), n=2)
    assert len(load_items(config(dataset=source), NoAssets(), Uploaded())) == 2


def test_items_that_were_never_sent_are_not_found() -> None:
    with pytest.raises(NotFound, match="were uploaded"):
        load_items(config(dataset=DatasetSource(name="own", uploaded="0" * 64)), NoAssets(), Uploaded())


def test_where_nothing_can_be_sent_to_an_upload_is_refused() -> None:
    with pytest.raises(DataError, match="only a server has those"):
        load_items(config(), NoAssets())


def test_a_file_has_no_published_form(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "q", "reference": "a", "scorer": "exact"}')
    with pytest.raises(DataError, match=r"no dataset is called 'own\.jsonl'"):
        load_items(config(dataset=DatasetSource(name=str(path), form="published")), NoAssets())


@pytest.mark.parametrize("where", ["target_model", "proposers"])
async def test_an_unknown_model_is_told_with_the_nearest(where: str) -> None:
    wanted = config(**{where: "qwen-05b" if where == "target_model" else ("qwen-05b",)})
    with pytest.raises(ModelNotFound, match=r"hosts qwen-0\.5b, smol; did you mean 'qwen-0\.5b'"):
        await find_contestants(wanted, TwoModels(), ITEMS)


@pytest.mark.parametrize(
    ("capabilities", "tells"), [(("chat", "label_logprobs"), True), (("chat",), False), ((), True)]
)
async def test_whether_the_target_tells_labels_is_known_from_what_it_can(
    capabilities: tuple[Capability, ...], tells: bool
) -> None:
    found = await find_contestants(config(target_model="smol"), TwoModels(capabilities=capabilities), ITEMS)
    assert found.tells_labels == tells


@dataclass
class ManyModels(TwoModels):
    async def models(self) -> tuple[ModelStatus, ...]:
        states = dict.fromkeys(("a", "b", "c", "d", "e"), ModelState.READY) | {"a": ModelState.UNLOADED}
        return tuple(ModelStatus(id=one, engine=EngineKind.LLAMACPP, state=of) for one, of in states.items())


async def test_advice_is_asked_of_the_target_and_a_few_that_are_loaded() -> None:
    found = await find_contestants(config(target_model="e"), ManyModels(), ITEMS)
    assert found.others == ("e", "b", "c", "d")


async def test_a_proposer_that_is_named_is_asked_loaded_or_not() -> None:
    found = await find_contestants(config(target_model="e", proposers=("a",)), ManyModels(), ITEMS)
    assert found.others == ("e", "a", "b", "c")
