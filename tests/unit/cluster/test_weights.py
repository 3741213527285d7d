"""What tells one model's weights from others under the same name."""

import os
from pathlib import Path

from cluster.weights import weights_digest
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.models import EngineKind, ModelSpec, Upstream


def test_a_catalog_entry_is_told_by_its_pinned_hash_before_it_is_here(tmp_path: Path) -> None:
    store = AssetStore(tmp_path, environ={})
    pinned = store.entry("smollm2-135m-instruct").files[0].sha256
    assert pinned is not None
    assert weights_digest(store, ModelSpec(id="smollm2-135m-instruct")) == pinned
    assert weights_digest(store, ModelSpec(id="mine", asset="smollm2-135m-instruct")) == pinned


def test_a_path_is_told_by_size_and_time(tmp_path: Path) -> None:
    store, path = AssetStore(tmp_path, environ={}), tmp_path / "m.gguf"
    path.write_bytes(b"weights")
    os.utime(path, ns=(0, 10))
    spec = ModelSpec(id="mine", path=str(path))
    first = weights_digest(store, spec)
    assert first == weights_digest(store, spec)
    os.utime(path, ns=(0, 11))
    assert weights_digest(store, spec) not in (None, first)


def test_what_is_elsewhere_or_away_has_none(tmp_path: Path) -> None:
    store = AssetStore(tmp_path, environ={})
    upstream = ModelSpec(id="u", engine=EngineKind.OPENAI_HTTP, upstream=Upstream(base_url="http://127.0.0.1:9/v1"))
    assert weights_digest(store, upstream) is None
    assert weights_digest(store, ModelSpec(id="unknown-name")) is None
    assert weights_digest(store, ModelSpec(id="mine", path=str(tmp_path / "gone.gguf"))) is None
