"""Ports that the server needs, and sockets of its processes that other machines can reach."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from cluster.cli.checks import Check
from cluster.environment import haproxy_dir, side_ports

if TYPE_CHECKING:
    from neuroforge.settings import Settings


@dataclass(frozen=True)
class Listener:
    """A TCP socket that waits for connections."""

    address: str
    port: int
    pid: int | None
    """None = a process of another user."""
    program: str = "a process of another user"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        address = ipaddress.ip_address(self.address.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return bool((mapped or address).is_loopback)


def network_checks(settings: "Settings", server_pid: int | None) -> list[Check]:
    """Return one check a port, and one for the sockets beyond loopback."""
    listeners = find_listeners()
    ours = our_pids(server_pid, haproxy_dir(settings.storage.home))
    wanted = {settings.gateway.port: "gateway.port", settings.ray.dashboard_port: "ray.dashboard_port"}
    wanted |= {port: use for use, port in side_ports(settings.gateway.port).items()}
    checks = [check_port(number, use, listeners, ours) for number, use in wanted.items()]
    return [*checks, check_exposure(listeners, ours, is_running=server_pid is not None)]


def check_port(port: int, use: str, listeners: Sequence[Listener], ours: Iterable[int]) -> Check:
    """Free, held by our own server, or held by somebody else."""
    name = f"port {port}"
    holders = [one for one in listeners if one.port == port]
    if not holders:
        return Check(name, "ok", f"free ({use})")
    mine = set(ours)
    foreign = [one for one in holders if one.pid not in mine]
    if not foreign:
        return Check(name, "ok", f"held by NeuroForge ({use})")
    holder = foreign[0]
    who = f"{holder.program} (process {holder.pid})" if holder.pid is not None else holder.program
    setting = use if "." in use else "gateway.port"
    return Check(name, "fail", f"{use}: held by {who}", f"stop it, or set {setting} to another port")


def check_exposure(listeners: Sequence[Listener], ours: Iterable[int], is_running: bool) -> Check:
    """Which sockets of our processes other machines can reach."""
    if not is_running:
        return Check("sockets", "ok", "no server runs here")
    mine = set(ours)
    exposed = sorted({(one.port, one.program) for one in listeners if one.pid in mine and not one.is_loopback})
    if not exposed:
        return Check("sockets", "ok", "all on loopback")
    listing = ", ".join(f"{port} ({program})" for port, program in exposed)
    return Check(
        "sockets",
        "warn",
        f"reachable from other machines: {listing}",
        "close them with a firewall unless this is a cluster of several machines; Ray's own ask for its token",
    )


def find_listeners() -> list[Listener]:
    """Return every listening TCP socket that this user may see; those of other users have no process."""
    name_by_pid: dict[int, str] = {}
    found = []
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        address, port = connection.laddr
        pid = connection.pid
        if pid is None:
            found.append(Listener(address, port, None))
            continue
        if pid not in name_by_pid:
            name_by_pid[pid] = _program_of(pid)
        found.append(Listener(address, port, pid, name_by_pid[pid]))
    return found


def our_pids(server_pid: int | None, proxy_dir: Path) -> set[int]:
    """Return the server's processes, and the HAProxy that outlives it."""
    pids: set[int] = set()
    if server_pid is not None and psutil.pid_exists(server_pid):
        server = psutil.Process(server_pid)
        pids = {server_pid, *(child.pid for child in server.children(recursive=True))}
    wanted = str(proxy_dir / "haproxy.cfg")
    for process in psutil.process_iter(["cmdline"]):
        if wanted in (process.info["cmdline"] or []):
            pids.add(process.pid)
    return pids


def _program_of(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "a process that just ended"
