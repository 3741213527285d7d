import json

import pytest

from neuroforge.assets.failures import SourceFailed
from neuroforge.assets.hub import HubAccess, choose_files
from neuroforge.contracts.assets import HubSource
from neuroforge.errors import AssetNotFound, DataError
from tests.unit.assets.asset_server import AssetServer, digest
from tests.unit.assets.conftest import StoreMaker
from tests.unit.assets.gguf_bytes import small_model


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["m.Q8_0.gguf", "m.Q4_K_M.gguf", "m.Q2_K.gguf"], ["m.Q4_K_M.gguf"]),
        (["m-q8_0.gguf", "m-q5_k_m.gguf"], ["m-q5_k_m.gguf"]),
        (["m-Q2_K.gguf"], ["m-Q2_K.gguf"]),
        (["mmproj-F16.gguf", "m-F16.gguf"], ["m-F16.gguf"]),
        (
            ["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf", "m-Q8_0.gguf"],
            ["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf"],
        ),
        (
            ["README.md", "config.json", "model.safetensors", "onnx/model.onnx", "tokenizer.json", "pytorch_model.bin"],
            ["config.json", "model.safetensors", "tokenizer.json"],
        ),
    ],
)
def test_the_best_files_are_chosen(names: list[str], chosen: list[str]) -> None:
    assert choose_files(names, "o/r", None) == chosen


def test_a_named_file_brings_its_other_shards() -> None:
    names = [f"{stem}-0000{n}-of-00002.gguf" for stem in ("a", "b") for n in (1, 2)]
    assert choose_files(names, "o/r", names[2]) == names[2:]


def test_a_repository_without_weights_is_refused() -> None:
    with pytest.raises(SourceFailed, match="neither GGUF nor safetensors"):
        choose_files(["README.md"], "o/r", None)
    with pytest.raises(SourceFailed, match=r"no file 'x.gguf'; it has m.gguf"):
        choose_files(["README.md", "m.gguf"], "o/r", "x.gguf")


def test_environment_names_hub_and_token_without_showing_the_token() -> None:
    access = HubAccess.from_environ({"HF_ENDPOINT": "https://hub.example/", "HF_TOKEN": "hunter2"})
    assert (
        access.file_url(HubSource(repo="o/r", filename="a/b c.gguf"))
        == "https://hub.example/o/r/resolve/main/a/b%20c.gguf"
    )
    assert access.headers == {"Authorization": "Bearer hunter2"}
    assert "hunter2" not in repr(access)
    assert HubAccess.from_environ({}).headers == {}


def put_repository(server: AssetServer, data: bytes, **file: object) -> None:
    description = {
        "sha": "c0ffee",
        "cardData": {"license": "apache-2.0"},
        "siblings": [{"rfilename": "Tiny.Q4_K_M.gguf", "size": len(data), **file}, {"rfilename": "README.md"}],
    }
    server.put("/api/models/o/Tiny-GGUF", json.dumps(description).encode())
    server.put("/o/Tiny-GGUF/resolve/c0ffee/Tiny.Q4_K_M.gguf", data)


def test_a_repository_is_added_with_the_hubs_hash_commit_and_licence(
    server: AssetServer, make_store: StoreMaker
) -> None:
    data = small_model()
    put_repository(server, data, lfs={"sha256": digest(data)})
    store = make_store()
    entry = store.add("hf:o/Tiny-GGUF")
    assert (entry.name, entry.licence, entry.is_user_added) == ("tiny-gguf", "apache-2.0", True)
    assert entry.files[0].sha256 == digest(data)
    assert store.ensure("tiny-gguf").read_bytes() == data
    assert store.facts("tiny-gguf").context_length == 2048


def test_a_hash_that_the_hub_does_not_state_is_pinned_on_first_use(server: AssetServer, make_store: StoreMaker) -> None:
    data = small_model()
    put_repository(server, data)
    store = make_store()
    assert store.add("hf:o/Tiny-GGUF:Tiny.Q4_K_M.gguf").files[0].sha256 is None
    store.ensure("tiny.q4_k_m")
    assert store.entry("tiny.q4_k_m").files[0].sha256 == digest(data)


def test_an_unknown_repository_is_not_found(make_store: StoreMaker) -> None:
    with pytest.raises(AssetNotFound, match=r"hf:o/r: .*answered 404"):
        make_store().add("hf:o/r")


def test_a_hub_that_answers_nonsense_is_not_found(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/api/models/o/r", b"<html>")
    with pytest.raises(AssetNotFound, match="not a repository"):
        make_store().add("hf:o/r")


def test_a_file_name_that_climbs_out_is_refused(server: AssetServer, make_store: StoreMaker) -> None:
    server.put("/api/models/o/r", json.dumps({"siblings": [{"rfilename": "../../evil.gguf"}]}).encode())
    store = make_store()
    with pytest.raises(DataError, match="relative path inside the asset"):
        store.add("hf:o/r", "evil")
    assert store.entries() == ()
