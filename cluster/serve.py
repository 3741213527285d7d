"""settings -> environment -> Ray -> Serve -> ready -> wait -> drain: what `make serve` runs, in one process."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from cluster import environment, prepare, processes
from cluster.run_state import read_run_state, remove_run_state, write_run_state
from cluster.secrets import read_or_create_token
from neuroforge.contracts.server import RunState
from neuroforge.errors import ConfigError, EngineUnavailable
from neuroforge.settings import Settings

if TYPE_CHECKING:
    from cluster.head import Head


RAY_TOKEN_FILE = "ray-token"  # noqa: S105 - the file's name
RAY_AGENT_PORT = 52365
"""Ray's agents take jobs on this port, which `ray.init` cannot change (Ray 2.60)."""
READY_TIMEOUT_S = 300.0
DRAIN_LIMIT_S = 30.0
"""How long Ctrl-C waits for streams; a second Ctrl-C does not wait."""

Say = Callable[[str], None]


def run_serve(settings: Settings, config_path: Path | None, say: Say, reload: bool = False) -> int:
    """Serve until Ctrl-C or SIGTERM; stop what was started, and only that.

    Args:
        say: Gets each line meant for the person at the terminal.
        reload: Apply the configuration file again whenever it changes.
    Raises:
        ConfigError: It runs already, a port is taken, or a bind beyond loopback has no keys.
        EngineUnavailable: Not ready in time.
    """
    home = settings.storage.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_can_start(settings)
    if settings.ray.address is None and not _is_free(RAY_AGENT_PORT):
        say(
            f"warning: port {RAY_AGENT_PORT} is taken, so another Ray cluster runs here; `ray job submit` to "
            "the one started here will find no agent. Stop the other, or join it with `ray: {address: auto}`"
        )
    prepare.fetch_assets(settings)
    prepare.check_fit(settings)
    stop = _StopSignal()
    token_path = home / RAY_TOKEN_FILE
    read_or_create_token(token_path)
    environment.prepare_proxy(home)
    environment.apply_environment(environment.cluster_environment(settings, token_path))
    from cluster.head import Head  # ray is imported here: it reads the environment at import

    started_at_s = time.time()
    head = Head(settings)
    try:
        say("starting Ray ...")
        head.start()
        _note_session(home, head)
        say("starting Serve and loading models ...")
        head.deploy()
        failed = head.wait_ready(READY_TIMEOUT_S, should_stop=stop.is_set)
        if not stop.is_set():
            state = _describe(head, settings, config_path, started_at_s)
            write_run_state(home, state)
            _announce(state, settings, failed, say)
            if reload and config_path is None:
                say("no neuroforge.yaml to watch; make one with: neuroforge config init")
            _wait(stop, config_path if reload else None, head.apply_file, say)
        say("draining; Ctrl-C again to stop at once")
    finally:
        limit_s = 0.0 if stop.count > 1 else DRAIN_LIMIT_S
        head.stop(limit_s, should_hurry=lambda: stop.count > 1)
        _end_orphans(home)
        remove_run_state(home)
        say("stopped")
    return 0


def stop_serve(home: Path, timeout_s: float = DRAIN_LIMIT_S + 30) -> bool:
    """Stop the server of this home; return whether one ran. What a killed one left behind is ended too."""
    state = read_run_state(home)
    is_running = state is not None and processes.is_alive(state.pid)
    if state is not None and is_running:
        processes.end(state.pid, signal.SIGINT, timeout_s)
    _end_orphans(home)
    remove_run_state(home)
    return is_running


def _session_file(home: Path) -> Path:
    return home / "run" / "ray-session"


def _note_session(home: Path, head: "Head") -> None:
    """A cluster of our own can be cleaned up after a SIGKILL; one that was only joined must not be."""
    path = _session_file(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if head.owns_ray and head.session_dir:
        path.write_text(head.session_dir)
    else:
        path.unlink(missing_ok=True)


def _end_orphans(home: Path) -> None:
    path = _session_file(home)
    session_dir = Path(path.read_text()) if path.exists() else None
    processes.end_orphans(environment.haproxy_dir(home), session_dir)
    path.unlink(missing_ok=True)


def base_url(settings: Settings) -> str:
    """Return where a client on this machine reaches the gateway."""
    host = settings.gateway.host
    if host in {"0.0.0.0", "::", "*"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://{host}:{settings.gateway.port}/v1"


def check_can_start(settings: Settings) -> None:
    """Refuse early, with the remedy.

    Raises:
        ConfigError: It runs already, a port is taken, or a bind beyond loopback has no keys.
    """
    state = read_run_state(settings.storage.home)
    if state is not None and processes.is_alive(state.pid):
        raise ConfigError(f"NeuroForge already serves {state.base_url} (process {state.pid}); run: neuroforge stop")
    _end_orphans(settings.storage.home)
    if not settings.gateway.is_loopback:
        _check_has_keys(settings)
    port = settings.gateway.port
    for use, number in ({"gateway.port": port} | environment.side_ports(port)).items():
        if not _is_free(number):
            raise ConfigError(f"port {number} ({use}) is taken; stop what holds it or choose another gateway.port")


def _check_has_keys(settings: Settings) -> None:
    from neuroforge.storage.store import open_store

    keys = open_store(settings.storage.sql_url, time.time).list_keys()
    if not any(key.revoked_at_s is None for key in keys):
        raise ConfigError(
            f"gateway.host {settings.gateway.host} can be reached from other machines, and there is no API key; "
            "make one with: neuroforge keys create --name me --scope admin --scope inference"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _StopSignal:
    """Counts Ctrl-C and SIGTERM from the first moment, so that none is lost while things start."""

    def __init__(self) -> None:
        self.count = 0
        self._event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        return self._event.wait(timeout_s)


def _wait(stop: _StopSignal, watched: Path | None, apply_file: Callable[[Path], str], say: Say) -> None:
    seen = _modified_at(watched)
    while not stop.wait(1.0):
        if watched is None or (now := _modified_at(watched)) == seen:
            continue
        seen = now
        try:
            say(apply_file(watched))
        except (ConfigError, EngineUnavailable) as error:
            say(f"not applied: {error.message}")


def _modified_at(path: Path | None) -> float | None:
    return path.stat().st_mtime if path is not None and path.exists() else None


def _describe(head: "Head", settings: Settings, config_path: Path | None, started_at_s: float) -> RunState:
    return RunState(
        pid=os.getpid(),
        base_url=base_url(settings),
        dashboard_url=head.dashboard_url,
        ray_address=head.address,
        session_dir=head.session_dir,
        started_at_s=started_at_s,
        config_path=str(config_path) if config_path else None,
    )


def _announce(state: RunState, settings: Settings, failed: list[str], say: Say) -> None:
    model = settings.models[0].id if settings.models else "auto"
    for line in failed:
        say(f"warning: {line}")
    say(f"\nNeuroForge is ready after {time.time() - state.started_at_s:.0f} s")
    say(f"  endpoint   {state.base_url}")
    say(f"  dashboard  {state.dashboard_url}")
    token_path = settings.storage.home / RAY_TOKEN_FILE
    say(f"  jobs       export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={token_path} RAY_ADDRESS={state.dashboard_url}")
    say("  try        " + curl_line(state.base_url, model, needs_key=not settings.gateway.is_loopback))
    say("  stop       Ctrl-C, or: neuroforge stop\n")


def curl_line(url: str, model: str, needs_key: bool) -> str:
    """Return one line for a shell that gets an answer."""
    key = ' -H "Authorization: Bearer $NEUROFORGE_API_KEY"' if needs_key else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Say hello."}}], "max_tokens": 32}}'
    return f"curl -s {url}/chat/completions -H 'Content-Type: application/json'{key} -d '{body}'"
