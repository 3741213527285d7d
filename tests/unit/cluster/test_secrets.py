"""Tokens in files."""

from pathlib import Path

import pytest

from cluster.secrets import read_or_create_token
from neuroforge.errors import ConfigError


def test_a_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token"
    first = read_or_create_token(path)
    assert read_or_create_token(path) == first
    assert len(first) == 64
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    read_or_create_token(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_or_create_token(path)


def test_an_empty_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    with pytest.raises(ConfigError, match="empty"):
        read_or_create_token(path)
