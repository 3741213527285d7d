"""LiteLLM's proxy in an environment of its own, before the same fixed-reply application: only for the comparison.

Never a dependency: it is installed into a directory that the caller throws away, with one worker as it comes.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load import Target
from tests.server import free_port

PACKAGE = "litellm[proxy]"
START_TIMEOUT_S = 180.0
KEY = "sk-benchmark"
BODY = {"model": "fixed", "messages": [{"role": "user", "content": "Say what you always say."}]}


@contextmanager
def serving_litellm(directory: Path, upstream: str) -> Iterator[Target]:
    """Install, start before `upstream` (a base URL up to `/v1`), wait until it answers, stop at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory / "env")], check=True)
    binaries = directory / "env" / "bin"
    subprocess.run([str(binaries / "pip"), "install", "--quiet", PACKAGE], check=True)
    parameters = {"model": "openai/fixed", "api_base": upstream, "api_key": "none"}
    tree = {
        "model_list": [{"model_name": "fixed", "litellm_params": parameters}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False},
    }
    config = directory / "config.yaml"
    config.write_text(json.dumps(tree))  # JSON is YAML
    port = free_port()
    command = [str(binaries / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "LITELLM_LOG": "ERROR", "PATH": f"{binaries}:{os.environ['PATH']}"}
    with (directory / "litellm.log").open("wb") as log:
        process = subprocess.Popen([*command, "--num_workers", "1"], env=environment, stdout=log, stderr=log)
    target = Target(f"http://127.0.0.1:{port}/v1/chat/completions", BODY, KEY)
    try:
        _wait_answering(target, process)
        yield target
    finally:
        process.terminate()
        process.wait(30)


def _wait_answering(target: Target, process: "subprocess.Popen[bytes]") -> None:
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.key}"}
    request = urllib.request.Request(target.url, json.dumps(target.body).encode(), headers)
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError("LiteLLM's proxy did not start; see litellm.log beside it") from error
        time.sleep(0.5)
