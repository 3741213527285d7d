"""Facts about desired models that hold on every database."""

import pytest

from neuroforge.contracts.models import EngineKind, ModelSpec, Price, ReplicaRange, Upstream
from neuroforge.errors import ModelNotFound, StorageError
from neuroforge.storage.store import SqlStore
from tests.unit.storage.database import Target, execute

FULL_SPEC = ModelSpec(
    id="far",
    engine=EngineKind.OPENAI_HTTP,
    upstream=Upstream(base_url="http://127.0.0.1:11434/v1", api_key_env="FAR_KEY"),
    replicas=ReplicaRange(min=0, max=3),
    keep_alive=600.0,
    price=Price(input_usd_per_million=0.1, output_usd_per_million=0.2),
    tags=("ä", "b"),
    capabilities=("chat", "tools"),
    engine_options={"nested": {"list": [1, 2.5, None, "x"]}},
)


class TestRegistry:
    def test_spec_survives_a_restart_unchanged(self, target: Target) -> None:
        first = target.open()
        first.put_spec(FULL_SPEC)
        first.close()

        assert target.open().list_specs() == (FULL_SPEC,)

    def test_put_replaces_the_spec_of_the_same_id(self, store: SqlStore) -> None:
        store.put_spec(ModelSpec(id="tiny", parallel=1))
        store.put_spec(ModelSpec(id="tiny", parallel=2))

        assert store.list_specs() == (ModelSpec(id="tiny", parallel=2),)

    def test_specs_come_in_order_of_code_points(self, store: SqlStore) -> None:
        for model_id in ("b", "a", "B", "a.1", "a-1"):
            store.put_spec(ModelSpec(id=model_id))

        assert [spec.id for spec in store.list_specs()] == ["B", "a", "a-1", "a.1", "b"]

    def test_removed_spec_is_gone(self, store: SqlStore) -> None:
        store.put_spec(ModelSpec(id="tiny"))
        store.remove_spec("tiny")

        assert store.list_specs() == ()

    def test_removing_an_unknown_model_names_those_that_exist(self, store: SqlStore) -> None:
        store.put_spec(ModelSpec(id="tiny"))

        with pytest.raises(ModelNotFound, match="'huge'; known: tiny") as caught:
            store.remove_spec("huge")
        assert caught.value.context == {"model_id": "huge", "known": ["tiny"]}

    def test_unreadable_spec_is_named(self, store: SqlStore) -> None:
        store.put_spec(ModelSpec(id="tiny"))
        execute(store.database, """UPDATE nf_model_specs SET spec = '{"id": "tiny", "left_behind": 1}'""")

        with pytest.raises(StorageError, match="stored model 'tiny' cannot be read"):
            store.list_specs()
