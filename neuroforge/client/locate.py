"""Which server is meant: argument, NEUROFORGE_URL, the server that runs on this machine, the settings."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from neuroforge.contracts.server import RunState
from neuroforge.errors import ConfigError


def run_state_path(home: Path) -> Path:
    """Where the running server describes itself."""
    return home / "run" / "server.json"


def read_run_state(home: Path) -> RunState | None:
    """Return what the running server wrote, or None when none did.

    Raises:
        ConfigError: The file is there but cannot be read or is not ours.
    """
    path = run_state_path(home)
    try:
        return RunState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: not a description of a server; delete it and start again") from error


def home_from(environ: Mapping[str, str]) -> Path:
    """Return $NEUROFORGE_HOME or the user's data directory."""
    return Path(environ.get("NEUROFORGE_HOME") or platformdirs.user_data_dir("neuroforge")).expanduser().absolute()


def find_url(url: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Return the server's address without a trailing slash or `/v1`.

    Raises:
        ConfigError: The address is not http:// or https://, or the settings that would tell it are broken.
    """
    environ = os.environ if environ is None else environ
    chosen = url or environ.get("NEUROFORGE_URL") or _url_here(environ)
    chosen = chosen.rstrip("/").removesuffix("/v1")
    if not chosen.startswith(("http://", "https://")):
        raise ConfigError(f"{chosen!r}: a server's address starts with http:// or https://")
    return chosen


def find_key(api_key: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the caller's key: the argument, else NEUROFORGE_API_KEY, else None."""
    environ = os.environ if environ is None else environ
    return api_key or environ.get("NEUROFORGE_API_KEY") or None


def _url_here(environ: Mapping[str, str]) -> str:
    state = read_run_state(home_from(environ))
    if state is not None:
        return state.base_url
    from neuroforge.settings import load_settings  # only when nothing runs: it takes longer than a call

    settings = load_settings(environ=environ)
    elsewhere = read_run_state(settings.storage.home)
    return elsewhere.base_url if elsewhere is not None else url_of(settings.gateway.host, settings.gateway.port)


def url_of(host: str, port: int) -> str:
    """Return the address that reaches a server bound to `host`: a bind to every interface is reached on loopback."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  # compared, not bound
    if ":" in reachable and not reachable.startswith("["):
        reachable = f"[{reachable}]"
    return f"http://{reachable}:{port}"
