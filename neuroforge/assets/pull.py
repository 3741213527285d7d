"""AssetEntry -> all its files fetched at once -> placed in the asset's directory -> Manifest."""

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from neuroforge.assets.disk import FreeSpace, require_free, used_bytes
from neuroforge.assets.download import Downloader
from neuroforge.assets.fetch import Fetcher
from neuroforge.assets.hub import HubAccess
from neuroforge.assets.manifest import Manifest, PlacedFile
from neuroforge.assets.npm import NpmPackages
from neuroforge.assets.parallel import N_WORKERS, run_in_parallel
from neuroforge.assets.pip_config import PipConfig, read_pip_config, run_command
from neuroforge.assets.progress import Meter
from neuroforge.assets.pypi import PypiPackages
from neuroforge.contracts.assets import AssetEntry, AssetFile
from neuroforge.errors import HashMismatch


@dataclass(frozen=True)
class Network:
    """What one pull reaches the world with."""

    hub: HubAccess
    downloader: Downloader
    fetcher: Fetcher


@contextmanager
def open_network(environ: Mapping[str, str], free_space: FreeSpace) -> Iterator[Network]:
    """Open sessions for one pull; leaving closes them and tells everything that still runs to stop."""
    stop = threading.Event()
    with ExitStack() as sessions:

        def downloader_for(config: PipConfig | None = None) -> Downloader:
            return Downloader(sessions.enter_context(_open_session(config)), stop, free_space)

        hub = HubAccess.from_environ(environ)
        downloader = downloader_for()
        pypi = PypiPackages(partial(read_pip_config, partial(run_command, environ=environ)), downloader_for)
        npm = NpmPackages(environ, stop, free_space)
        try:
            yield Network(hub, downloader, Fetcher(downloader, hub, pypi, npm))
        finally:
            stop.set()


def _open_session(config: PipConfig | None) -> requests.Session:
    """Honours the usual proxy variables and .netrc, and pip's own certificates and proxy where given."""
    session = requests.Session()
    session.headers["User-Agent"] = "neuroforge"
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(pool_maxsize=N_WORKERS * N_WORKERS))
    if config is not None and config.cert is not None:
        session.verify = config.cert
    if config is not None and config.proxy is not None:
        session.proxies = {"http": config.proxy, "https": config.proxy}
    return session


@dataclass(frozen=True)
class Workplace:
    """Where one asset's files go, and where its parts wait meanwhile."""

    directory: Path
    staging: Path


def pull_entry(entry: AssetEntry, known: Manifest | None, place: Workplace, network: Network, meter: Meter) -> Manifest:
    """Fetch each file that `known` does not vouch for; return the record of all.

    Raises:
        AssetNotFound: A file could not be had; finished parts stay in staging for the next time.
        HashMismatch: A source gave wrong bytes; nothing of them stays.
        DiskFull: It would not fit.
    """
    place.staging.mkdir(parents=True, exist_ok=True)
    missing = [file for file in entry.files if _vouched(file, known, place) is None]
    wanted = sum(file.n_bytes or 0 for file in missing if file.sources[0].kind != "file")
    require_free(wanted - used_bytes(place.staging), place.staging, network.downloader.free_space)
    steps = [partial(_pull_file, file, place, network.fetcher, meter) for file in missing]
    try:
        pulled = {file.name: file for file in run_in_parallel(steps, network.fetcher.stop)} if steps else {}
    except HashMismatch:
        shutil.rmtree(place.staging, ignore_errors=True)
        raise
    placed = [pulled.get(file.name) or _vouched(file, known, place) for file in entry.files]
    return Manifest(name=entry.name, files=tuple(one for one in placed if one is not None))


def _pull_file(file: AssetFile, place: Workplace, fetcher: Fetcher, meter: Meter) -> PlacedFile:
    target = place.directory / file.name
    fetched = fetcher.fetch(file, place.staging, target, meter)
    return PlacedFile(
        name=file.name,
        sha256=fetched.digest.sha256,
        n_bytes=fetched.digest.n_bytes,
        mtime_ns=target.stat().st_mtime_ns,
        source=fetched.source,
    )


def _vouched(file: AssetFile, known: Manifest | None, place: Workplace) -> PlacedFile | None:
    found = known.placed(file) if known is not None else None
    return found if found is not None and found.is_untouched(place.directory) else None
