"""Serve while every connection beyond this machine is refused: nothing breaks, and nothing tries to phone out.

Python's own sockets are refused and noted by an audit hook in every process (offline/sitecustomize.py). Compiled code
(Ray's daemons, HAProxy, uvloop) passes no such hook: the sockets of all processes are looked at all the time.
See docs/decisions/082.
"""

import ipaddress
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.conftest import SMALL_FLEET
from tests.contract.wire import MODEL, PROMPT
from tests.server import serving

HOOK = Path(__file__).parent / "offline"
LOOK_EVERY_S = 0.25


def own_addresses() -> set[str]:
    """Of this machine's interfaces: Ray's processes reach each other under one of them."""
    families = [one for addresses in psutil.net_if_addrs().values() for one in addresses]
    return {one.address.partition("%")[0] for one in families}


def outside(pids: set[int], own: set[str]) -> set[str]:
    """Remote addresses beyond this machine to which one of the processes holds a socket."""
    sockets = [one for one in psutil.net_connections("inet") if one.pid in pids]
    ends = {(one.pid, plain(one.raddr[0])) for one in sockets if one.raddr}
    return {f"{pid} -> {ip}" for pid, ip in ends if ip not in own and not ipaddress.ip_address(ip).is_loopback}


def plain(ip: str) -> str:
    """The IPv4 address inside a mapped one, and no zone."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@contextmanager
def looking() -> Iterator[set[str]]:
    """Look at the sockets of everything that this test starts; yields the set that fills with what was seen."""
    seen: set[str] = set()
    over = threading.Event()
    own = own_addresses()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            pids = {one.pid for one in psutil.Process().children(recursive=True)}
            seen.update(outside(pids, own))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def ask_everything(url: str, key: str | None) -> None:
    """One request of each kind; SDK errors if any fails."""
    talk: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]
    with OpenAI(base_url=f"{url}/v1", api_key=key or "", max_retries=0) as sdk:
        assert sdk.chat.completions.create(model=MODEL, messages=talk, max_tokens=4).choices
        assert list(sdk.chat.completions.create(model="auto", messages=talk, max_tokens=4, stream=True))
        assert sdk.responses.create(model=MODEL, input="Hello", max_output_tokens=16).output
        assert sdk.completions.create(model=MODEL, prompt="One two", max_tokens=2).choices
    assert httpx2.get(f"{url}/metrics", headers={"authorization": f"Bearer {key}"}).status_code == 200


def test_serving_needs_and_seeks_nothing_outside(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    log = tmp_path / "outside.log"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HOOK), os.environ.get("PYTHONPATH", "")]),
        "NEUROFORGE_TEST_OUTSIDE_LOG": str(log),
        "NEUROFORGE_TEST_OWN_ADDRESSES": ",".join(own_addresses()),
    }
    home = tmp_path / "home"
    started = serving(home, shared_home / "assets", SMALL_FLEET, with_keys=True, environment=environment)
    with looking() as seen, started as server:
        ask_everything(server.base_url, server.api_key)
        assert server.cli("status").returncode == 0
    assert not seen
    assert not log.exists(), log.read_text()
