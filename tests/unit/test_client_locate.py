import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuroforge
from neuroforge import errors
from neuroforge.client.locate import find_key, find_url, read_run_state, run_state_path, url_of
from tests.unit.loopback import Loopback, loopback


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


def test_the_server_is_found_by_argument_variable_file_then_settings(tmp_path: Path) -> None:
    environ = {"NEUROFORGE_HOME": str(tmp_path), "NEUROFORGE_GATEWAY__PORT": "8123"}
    assert find_url(None, environ) == "http://127.0.0.1:8123"
    path = run_state_path(tmp_path)
    path.parent.mkdir()
    path.write_text('{"pid": 1, "base_url": "http://127.0.0.1:9000/v1", "started_at_s": 1.0}')
    assert find_url(None, environ) == "http://127.0.0.1:9000"
    assert find_url(None, {**environ, "NEUROFORGE_URL": "http://other:1/v1/"}) == "http://other:1"
    assert find_url("https://named", {**environ, "NEUROFORGE_URL": "http://other"}) == "https://named"


def test_an_address_without_scheme_is_refused() -> None:
    with pytest.raises(errors.ConfigError, match="starts with http"):
        find_url("localhost:8000", {})


def test_a_bind_to_every_interface_is_reached_on_loopback() -> None:
    assert url_of("0.0.0.0", 1) == "http://127.0.0.1:1"
    assert url_of("::", 1) == "http://[::1]:1"
    assert url_of("fe80::1", 1) == "http://[fe80::1]:1"


def test_a_broken_description_is_refused(tmp_path: Path) -> None:
    path = run_state_path(tmp_path)
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(errors.ConfigError, match="delete it"):
        read_run_state(tmp_path)


def test_the_key_is_the_argument_or_the_variable() -> None:
    assert find_key("a", {"NEUROFORGE_API_KEY": "b"}) == "a"
    assert find_key(None, {"NEUROFORGE_API_KEY": "b"}) == "b"
    assert find_key(None, {"NEUROFORGE_API_KEY": ""}) is None


def test_connect_takes_the_address_as_people_write_it() -> None:
    assert neuroforge.connect("http://127.0.0.1:8000/v1/").base_url == "http://127.0.0.1:8000"
    assert neuroforge.connect_async("http://127.0.0.1:8000").base_url == "http://127.0.0.1:8000"


def test_a_caller_never_imports_ray(gateway: Loopback) -> None:
    gateway.answer_json("GET", "/v1/models", {"data": [{"id": "a"}]})
    program = (
        "import sys, asyncio, neuroforge\n"
        "print(neuroforge.connect(sys.argv[1]).model_ids())\n"
        "async def main():\n"
        "    async with neuroforge.connect_async(sys.argv[1]) as client:\n"
        "        print(await client.model_ids())\n"
        "asyncio.run(main())\n"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('ray', 'cluster', 'sqlalchemy', 'fastapi')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, gateway.url], capture_output=True, text=True, check=True)
    assert done.stdout == "('a',)\n('a',)\n[]\n"
