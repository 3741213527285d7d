import json
import os
import struct
from pathlib import Path

import pytest

from neuroforge.contracts.assets import FileSource
from neuroforge.errors import AssetNotFound, ConflictError, DataError, HashMismatch
from tests.unit.assets.asset_server import AssetServer, digest
from tests.unit.assets.conftest import StoreMaker, entry_of
from tests.unit.assets.gguf_bytes import small_model


def test_a_file_of_the_users_own_is_linked_and_never_copied_or_removed(tmp_path: Path, make_store: StoreMaker) -> None:
    own = tmp_path / "My Model.GGUF"
    own.write_bytes(small_model())
    store = make_store()
    entry = store.add(str(own))
    assert (entry.name, entry.licence, entry.files[0].sha256) == ("my-model", "unknown", digest(own.read_bytes()))
    path = store.ensure("my-model")
    assert path.is_symlink()
    assert path.resolve() == own
    assert store.remove("my-model") < 1000
    assert own.is_file()
    assert store.entries() == ()


def test_a_changed_file_of_the_users_own_is_a_mismatch(tmp_path: Path, make_store: StoreMaker) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(small_model())
    store = make_store()
    store.add(str(own))
    store.ensure("own")
    own.write_bytes(small_model() + b"more")
    with pytest.raises(HashMismatch, match="remove the asset and add it again"):
        store.ensure("own")


def test_all_shards_are_added_with_the_first(tmp_path: Path, make_store: StoreMaker) -> None:
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(small_model())
    store = make_store()
    store.add(str(tmp_path / "m-00001-of-00002.gguf"))
    assert store.ensure("m").name == "m-00001-of-00002.gguf"
    assert store.facts("m").weights_bytes == 2 * len(small_model())


def test_a_checkpoint_directory_is_added_whole(tmp_path: Path, make_store: StoreMaker) -> None:
    directory = tmp_path / "Check Point"
    directory.mkdir()
    header = json.dumps({"w": {"dtype": "F32", "shape": [4, 5], "data_offsets": [0, 80]}}).encode()
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(80))
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "hidden_size": 32,
        "max_position_embeddings": 512,
        "vocab_size": 3,
        "torch_dtype": "float32",
    }
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x"}))
    (directory / "notes.md").write_text("not part of it")
    store = make_store()
    entry = store.add(str(directory), "point", "MIT")
    facts = store.facts(store.ensure("point").name)
    assert [file.name for file in entry.files] == ["config.json", "model.safetensors", "tokenizer_config.json"]
    assert (facts.n_parameters, facts.head_size, facts.n_kv_heads, facts.quantization) == (20, 8, 2, "float32")
    assert facts.has_chat_template
    assert not facts.is_embedding_model


def test_a_url_is_pinned_on_first_use(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/models/tiny.gguf", small_model())
    store = make_store()
    assert store.add(f"{server.url}/models/tiny.gguf?download=1").files[0].sha256 is None
    assert store.ensure("tiny").read_bytes() == small_model()
    assert store.entry("tiny").files[0].sha256 == digest(small_model())
    assert (store.directory / "user.yaml").stat().st_mode & 0o777 == 0o600
    store.ensure("tiny").write_bytes(b"x")
    server.put("/models/tiny.gguf", small_model() + b"changed")
    with pytest.raises(Exception, match="offers"):
        store.ensure("tiny")


def test_a_log_in_page_is_not_pinned_as_a_model(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/tiny.gguf", b"<html>please log in, then come back for your model</html>")
    store = make_store()
    store.add(f"{server.url}/tiny.gguf")
    with pytest.raises(DataError, match=r"not a model, and was removed: .*not a GGUF file"):
        store.ensure("tiny")
    assert store.entry("tiny").files[0].sha256 is None
    assert not list(store.directory.glob("tiny/*"))


def test_what_is_not_a_model_is_refused(tmp_path: Path, make_store: StoreMaker) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    store = make_store()
    for origin, reason in (("x.gguf", "not a GGUF"), ("empty", "config.json")):
        with pytest.raises(DataError, match=reason):
            store.add(str(tmp_path / origin))
    with pytest.raises(DataError, match=r"must end in the name of a .gguf"):
        store.add("https://host.example/page")
    with pytest.raises(DataError, match="hf:owner/repo"):
        store.add("hf:just-a-name")
    with pytest.raises(AssetNotFound, match="no such file"):
        store.add(str(tmp_path / "nowhere.gguf"))
    assert store.entries() == ()


def test_a_taken_or_odd_name_is_refused(tmp_path: Path, make_store: StoreMaker) -> None:
    (tmp_path / "tiny.gguf").write_bytes(small_model())
    store = make_store(entry_of(b"x", FileSource(path="/nowhere"), name="tiny"))
    with pytest.raises(ConflictError, match="'tiny' exists"):
        store.add(str(tmp_path / "tiny.gguf"))
    with pytest.raises(DataError, match="must match"):
        store.add(str(tmp_path / "tiny.gguf"), "../evil")


def test_a_damaged_user_catalog_says_which_file(make_store: StoreMaker) -> None:
    store = make_store()
    store.directory.mkdir(parents=True)
    (store.directory / "user.yaml").write_text("- name: [")
    with pytest.raises(DataError, match=r"user\.yaml: not valid YAML"):
        store.entries()


def test_a_missing_shard_is_named(tmp_path: Path, make_store: StoreMaker) -> None:
    own = tmp_path / "m-00002-of-00002.gguf"
    own.write_bytes(small_model())
    with pytest.raises(DataError, match=r"m-00001-of-00002.gguf is missing"):
        make_store().add(os.fspath(own))
