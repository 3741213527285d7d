"""The generated Serve configuration: deployed twice, it leaves the loaded models up."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.server import free_port


def test_deploying_twice_leaves_a_loaded_model_up(tmp_path: Path, shared_home: Path, smollm2_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "assets").symlink_to(shared_home / "assets")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NEUROFORGE_", "RAY_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.serve_deploy", str(home), str(free_port()), str(free_port())],
        env=inherited,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert json.loads((home / "seen.json").read_text()) == {"is_ready": True, "answered": True}
