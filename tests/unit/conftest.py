"""Unit tests cannot start Ray."""

import sys
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("a unit test must not start Ray")

    if "ray" in sys.modules:
        monkeypatch.setattr("ray.init", refuse)
