"""A headless Chromium over WebDriver's own wire, and a server that tells what was asked of it."""

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

TIMEOUT_S = 60


class Browser:
    """One session."""

    def __init__(self, session_url: str) -> None:
        self._url = session_url

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        self._post("window/rect", {"width": width, "height": height})
        self._post("url", {"url": url})

    def run(self, script: str) -> Any:
        """The value that the script returns."""
        return self._post("execute/sync", {"script": script, "args": []})

    def resize_view(self, width: int, height: int) -> None:
        """As a phone: windows do not get so narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        self._post("goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._url}/{path}", json=body, timeout=TIMEOUT_S)
        assert answer.ok, answer.text
        return answer.json()["value"]


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start it, and end it with all its processes."""
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or binary is None:
        pytest.fail("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        base = f"http://127.0.0.1:{_read_port(process)}"
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
        ]  # fmt: skip
        wanted = {"alwaysMatch": {"goog:chromeOptions": {"binary": binary, "args": options}}}
        answer = requests.post(f"{base}/session", json={"capabilities": wanted}, timeout=TIMEOUT_S)
        assert answer.ok, answer.text
        session_url = f"{base}/session/{answer.json()['value']['sessionId']}"
        yield Browser(session_url)
        requests.delete(session_url, timeout=TIMEOUT_S)
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
        if process.stdout is not None:
            process.stdout.close()


def _read_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if "started successfully on port" in line:
            return int(line.rstrip().rstrip(".").rsplit(" ", 1)[-1])
    raise AssertionError("chromedriver ended before it said its port")


@contextmanager
def recording_server(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a directory; yields the address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(directory))

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args: object) -> None:
            """Quiet: the list tells."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
