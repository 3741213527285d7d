"""(package, version) -> an archive of a Python index, read as data: pip itself would build an sdist, and so run it."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from neuroforge.assets.download import Download, Downloader
from neuroforge.assets.failures import SourceFailed, redact_url
from neuroforge.assets.pip_config import PipConfig
from neuroforge.assets.progress import Meter
from neuroforge.contracts.assets import PackagePart

_ACCEPT = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
_SDIST_SUFFIXES = (".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class IndexFile:
    """One archive that an index offers."""

    filename: str
    url: str
    n_bytes: int | None = None


class PypiPackages:
    """Finds archives in the indexes that pip is configured with; pip is asked when the first part is wanted."""

    def __init__(self, read_config: Callable[[], PipConfig], downloader_for: Callable[[PipConfig], Downloader]) -> None:
        self._read_config = read_config
        self._downloader_for = downloader_for
        self._guard = threading.Lock()
        self._ready: tuple[PipConfig, Downloader] | None = None
        self._located: dict[tuple[str, str], IndexFile] = {}

    def announce(self, part: PackagePart, meter: Meter) -> IndexFile:
        """Look the part up and tell its size, so that the total is known before the first byte.

        Raises:
            SourceFailed: No index has it.
        """
        key = (part.package, part.version)
        found = self._located.get(key) or self.locate(*key)
        self._located[key] = found
        meter.expect(found.filename, found.n_bytes)
        return found

    def fetch(self, part: PackagePart, staging: Path, meter: Meter) -> Path:
        """Return the archive of that package, in staging or where a local index keeps it.

        Raises:
            SourceFailed: No index has it, or it cannot be fetched.
            DiskFull: It would not fit.
        """
        found = self.announce(part, meter)
        target = staging / f"pypi-{found.filename}"
        _, downloader = self._configured()
        return downloader.fetch(Download(found.url, target, part=found.filename, n_bytes=found.n_bytes), meter)

    def locate(self, package: str, version: str) -> IndexFile:
        """Return the archive that reads most simply: a wheel for any platform, else an sdist, else any other wheel.

        Raises:
            SourceFailed: Says for each place why not.
        """
        config, downloader = self._configured()
        name = _normalised(package)
        reasons: list[str] = []
        for base in config.index_urls:
            page = f"{base.rstrip('/')}/{name}/"
            try:
                offered = _matching(_list(page, downloader), name, version)
            except SourceFailed as failed:
                reasons.append(str(failed))
                continue
            if offered:
                return min(offered, key=_rank)
            reasons.append(f"{redact_url(page)}: has no version {version}")
        for place in config.find_links:
            try:
                offered = _matching(_list(place, downloader), name, version)
            except SourceFailed as failed:
                reasons.append(str(failed))
                continue
            if offered:
                return min(offered, key=_rank)
        raise SourceFailed(f"{package} {version}: {'; '.join(reasons) or 'pip is configured without any index'}")

    def _configured(self) -> tuple[PipConfig, Downloader]:
        with self._guard:
            if self._ready is None:
                config = self._read_config()
                self._ready = config, self._downloader_for(config)
            return self._ready


def _list(page: str, downloader: Downloader) -> list[IndexFile]:
    parts = urlsplit(page)
    if parts.scheme in ("http", "https"):
        content_type, body = downloader.read_page(page, _ACCEPT)
        return _parse_json(body, page) if "json" in content_type else _parse_html(body, page)
    place = Path(unquote(parts.path) if parts.scheme == "file" else page).absolute()
    if (place / "index.html").is_file():
        return _parse_html((place / "index.html").read_bytes(), place.as_uri() + "/")
    if place.is_dir():
        return [IndexFile(one.name, one.as_uri()) for one in sorted(place.iterdir()) if one.is_file()]
    if place.is_file():
        return _parse_html(place.read_bytes(), place.as_uri())
    raise SourceFailed(f"{place}: does not exist")


def _parse_json(body: bytes, page: str) -> list[IndexFile]:
    try:
        files: list[dict[str, Any]] = json.loads(body)["files"]
        offered = [(str(one["filename"]), urljoin(page, str(one["url"])), one.get("size")) for one in files]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceFailed(f"{redact_url(page)}: not an index page") from error
    return _safe([IndexFile(name, url, size if isinstance(size, int) else None) for name, url, size in offered], page)


def _parse_html(body: bytes, page: str) -> list[IndexFile]:
    parser = _Links()
    parser.feed(body.decode("utf-8", errors="replace"))
    urls = [urldefrag(urljoin(page, link)).url for link in parser.links]
    return _safe([IndexFile(unquote(urlsplit(url).path).rpartition("/")[2], url) for url in urls], page)


def _safe(offered: list[IndexFile], page: str) -> list[IndexFile]:
    """Drop names that are paths, and links from the network into this machine's files."""
    is_local = page.startswith("file:")
    return [
        one
        for one in offered
        if not set(one.filename) & set("/\\\0") and (is_local or one.url.startswith(("http://", "https://")))
    ]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.extend(value for name, value in attrs if name == "href" and value)


def _matching(offered: list[IndexFile], name: str, version: str) -> list[IndexFile]:
    return [one for one in offered if _name_and_version(one.filename) == (name, version)]


def _name_and_version(filename: str) -> tuple[str, str] | None:
    if filename.endswith(".whl"):
        fields = filename.removesuffix(".whl").split("-")
        return (_normalised(fields[0]), fields[1]) if len(fields) in (5, 6) else None
    suffix = next((one for one in _SDIST_SUFFIXES if filename.endswith(one)), None)
    if suffix is None:
        return None
    name, _, version = filename.removesuffix(suffix).rpartition("-")
    return _normalised(name), version


def _rank(file: IndexFile) -> tuple[int, str]:
    if file.filename.endswith("-none-any.whl"):
        return 0, file.filename
    return (2 if file.filename.endswith(".whl") else 1), file.filename


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
