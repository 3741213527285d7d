"""Tokens that processes of one instance share: files in the home directory, readable by its owner only."""

import os
import secrets
from pathlib import Path

from neuroforge.errors import ConfigError


def read_or_create_token(path: Path) -> str:
    """Return the token in `path`, made on first use with mode 0600 in a directory of mode 0700.

    Raises:
        ConfigError: The file is readable by others, or empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_token(path)
    token = secrets.token_hex(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token


def _read_token(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others can read this token; run: chmod 600 {path}")
    token = path.read_text().strip()
    if not token:
        raise ConfigError(f"{path}: the token is empty; delete the file and start again")
    return token
