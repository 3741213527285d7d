"""A node that goes away under load: every request is answered by the node that is left, and the fleet heals."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.server import free_port


def test_a_removed_node_costs_no_request(tmp_path: Path, shared_home: Path, smollm2_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "assets").symlink_to(shared_home / "assets")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NEUROFORGE_", "RAY_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.two_nodes", str(home), str(free_port())],
        env=inherited,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    seen = json.loads((home / "seen.json").read_text())
    assert seen["errors"] == []
    assert seen["n_ok"] >= 20
    assert seen["healed"]
