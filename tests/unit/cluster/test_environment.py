"""What Ray finds in its environment."""

from pathlib import Path

import pytest

from cluster.environment import cluster_environment, haproxy_dir, make_private_dir, prepare_proxy, side_ports
from neuroforge.errors import ConfigError
from neuroforge.settings import settings_from_tree


def environment_of(**tree: object) -> dict[str, str]:
    settings = settings_from_tree({"storage": {"home": "/home/me/nf"}, **tree}, source="test")
    return cluster_environment(settings, Path("/home/me/nf/ray-token"))


def test_nothing_phones_home() -> None:
    found = environment_of()
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"
    assert found["DO_NOT_TRACK"] == "1"
    assert found["RAYLLM_ENABLE_REQUEST_PROMPT_LOGS"] == "0"


def test_ray_demands_a_token() -> None:
    found = environment_of()
    assert (found["RAY_AUTH_MODE"], found["RAY_AUTH_TOKEN_PATH"]) == ("token", "/home/me/nf/ray-token")


def test_a_stream_may_run_as_long_as_the_request_timeout_whatever_reloads() -> None:
    found = environment_of(gateway={"request_timeout": "15m"})
    assert int(found["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"]) == 15 * 60 + 60


def test_instances_on_other_ports_share_no_port() -> None:
    first = {8000, *side_ports(8000).values()}
    second = {8001, *side_ports(8001).values()}
    assert not first & second


def test_a_socket_inside_the_proxys_directory_fits_haproxys_limit() -> None:
    home = Path("/home") / ("a-very-long-user-name" * 10)
    socket_path = haproxy_dir(home) / ("f" * 56) / "metrics.sock"
    assert len(str(socket_path)) <= 97


def test_two_homes_have_two_proxies() -> None:
    assert haproxy_dir(Path("/a")) != haproxy_dir(Path("/b"))


def test_a_private_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    make_private_dir(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_place_of_the_private_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="belongs to another user"):
        make_private_dir(tmp_path / "run")


def test_serve_starts_haproxy_without_splicing(tmp_path: Path) -> None:
    command = prepare_proxy(tmp_path)
    assert environment_of(storage={"home": tmp_path})["RAY_SERVE_HAPROXY_BINARY_PATH"] == str(command)
    assert command.stat().st_mode & 0o777 == 0o700
    assert command.read_text().endswith('haproxy -dS "$@"\n')


def test_what_ray_asks_without_being_allowed_goes_nowhere() -> None:
    found = environment_of()
    for name in ("RAY_USAGE_STATS_REPORT_URL", "http://169.254.169.254_proxy", "http://metadata.google.internal_proxy"):
        assert found[name] == "http://127.0.0.1:9"
