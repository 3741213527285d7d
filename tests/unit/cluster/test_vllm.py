import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from cluster.vllm import bind_vllm
from cluster.vllm_app import VllmReplica
from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import ConfigError

TOKEN = "secret-token"
CONFIG = {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}
LOAD_WITHOUT_OURS = """
import sys
for name in ("cluster", "neuroforge", "jobs"):
    sys.modules[name] = None
from ray import cloudpickle
replica = cloudpickle.loads(open(sys.argv[1], "rb").read())
print(replica.__name__, callable(replica.__serve_build_asgi_app__))
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    directory = tmp_path / "a model"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(CONFIG))
    (directory / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return directory


def bound(source: Path, **changes: Any) -> Any:
    spec = ModelSpec.model_validate({"id": "m", "engine": "vllm", "path": str(source), "parallel": 2, **changes})
    python = Path("/home of/envs/vllm-cpu/bin/python")
    return bind_vllm(spec, "v1", source, python, TOKEN, threads=1, drain_timeout_s=3.0)._bound_deployment


def test_the_replica_runs_in_the_environment_and_reserves_its_share(checkpoint: Path) -> None:
    deployment = bound(checkpoint, cpus=0.5)
    options = deployment.ray_actor_options
    assert options["runtime_env"]["py_executable"] == "'/home of/envs/vllm-cpu/bin/python'"
    assert options["num_cpus"] == 0.5
    assert deployment._replica_config.placement_group_bundles == [{"CPU": 0.5}]


def test_the_token_itself_is_nowhere_in_what_ray_keeps(checkpoint: Path) -> None:
    deployment = bound(checkpoint)
    config, token_sha256, n_at_most = deployment.init_args
    assert token_sha256 == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert n_at_most == 2 + 64
    assert TOKEN not in repr((config, deployment.ray_actor_options))


def test_a_gguf_file_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match=r"python -m cluster\.vllm_env convert"):
        bound(gguf)


def test_what_travels_loads_where_our_packages_are_not(checkpoint: Path, tmp_path: Path) -> None:
    bound(checkpoint)
    pickled = tmp_path / "replica.pickle"
    pickled.write_bytes(cloudpickle.dumps(VllmReplica))
    done = subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT_OURS, str(pickled)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["VllmReplica", "True"]
