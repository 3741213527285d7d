"""Put on PYTHONPATH: in this Python process every connection and name lookup beyond this machine is refused and noted.

Read: `NEUROFORGE_TEST_OUTSIDE_LOG`, the file that takes one line an attempt. A UDP socket's `connect` sends nothing
(Ray asks for its own address so): refused, and not noted.
"""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

LOG = Path(os.environ["NEUROFORGE_TEST_OUTSIDE_LOG"])
OWN = {one for one in os.environ.get("NEUROFORGE_TEST_OWN_ADDRESSES", "").split(",") if one}
NAMES = {"", "localhost", socket.gethostname()}
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}


def is_here(host: Any) -> bool:
    """Whether the host is this machine."""
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text in NAMES or text in OWN:
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def note(event: str, target: Any) -> None:
    with LOG.open("a") as log:
        log.write(f"{os.getpid()} {sys.argv[:2]} {event} {target}\n")


def audit(event: str, args: tuple[Any, ...]) -> None:
    if event in LOOKUPS and not is_here(args[0]):
        note(event, args[0])
        raise socket.gaierror(socket.EAI_AGAIN, "refused by the test")
    if event not in ("socket.connect", "socket.sendto") or not isinstance(args[1], tuple) or is_here(args[1][0]):
        return
    if event == "socket.sendto" or args[0].type != socket.SOCK_DGRAM:
        note(event, args[1])
    raise ConnectionRefusedError(f"refused by the test: {args[1]}")


sys.addaudithook(audit)
