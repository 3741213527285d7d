"""Run by test_serve_deploy.py in a process of its own: `serve deploy` twice, with a model loaded in between.

Writes the model's state after the second deployment to `seen.json` in its home, and whether it answered.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import yaml

from cluster import environment
from cluster.secrets import read_or_create_token
from neuroforge.client import Client
from neuroforge.contracts.models import ModelState
from neuroforge.errors import NeuroForgeError
from neuroforge.settings import settings_from_tree


def main(home: Path, port: int, dashboard_port: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    model = {"id": "small", "asset": "smollm2-135m-instruct", "context_length": 512, "parallel": 1, "preload": False}
    settings = settings_from_tree(
        {"models": [model], "gateway": {"port": port}, "storage": {"home": str(home)}}, "serve_deploy"
    )
    token_path = home / "ray-token"
    read_or_create_token(token_path)
    environment.prepare_proxy(home)
    environment.apply_environment(environment.cluster_environment(settings, token_path))

    import ray

    from cluster.app import serve_config

    context = ray.init(include_dashboard=True, dashboard_port=dashboard_port, log_to_driver=False)
    config = home / "serve.yaml"
    config.write_text(yaml.safe_dump(serve_config(settings)))
    client = Client(f"http://127.0.0.1:{port}")
    try:
        deploy(config, context.dashboard_url)
        client.wait_ready(180)
        client.chat("Say hello.", model="small", max_tokens=2)
        deploy(config, context.dashboard_url)
        time.sleep(5)  # time in which a wrong deployment would take the model away
        client.wait_ready(180)
        body = ask(client)
        state = next(one.state for one in client.models() if one.id == "small")
        seen = {"is_ready": state == ModelState.READY, "answered": bool(body["choices"])}
        (home / "seen.json").write_text(json.dumps(seen))
    finally:
        ray.shutdown()


def ask(client: Client) -> dict[str, object]:
    """The gateway's replica is replaced by the second deployment, so the first try may meet the one that leaves."""
    deadline_s = time.monotonic() + 60
    while True:
        try:
            return client.chat("Say hello.", model="small", max_tokens=2)
        except NeuroForgeError:
            if time.monotonic() > deadline_s:
                raise


def deploy(config: Path, dashboard_url: str) -> None:
    words = [sys.executable, "-m", "ray.serve.scripts", "deploy", str(config), "-a", f"http://{dashboard_url}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
