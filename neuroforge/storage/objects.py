"""Files by key: in a directory, or in S3 through fsspec (the extra `s3`). Implements ObjectStore."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from neuroforge.contracts.ports_experiments import ObjectStore
from neuroforge.errors import ConfigError, DiskFull, NotFound, StorageError
from neuroforge.storage.files import replacing

_SCHEMES = ("file://", "s3://")


def open_objects(url: str | None, default: Path) -> ObjectStore:
    """Return the store behind the URL; None = the directory `default`.

    S3 takes its credentials, region and endpoint from the environment as all AWS tools do (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, ...), so that no secret stands in settings.

    Raises:
        ConfigError: Another scheme, no bucket, or the package for S3 is missing.
    """
    if url is None:
        return DirectoryObjects(default)
    if url.startswith("file://"):
        return DirectoryObjects(Path(url.removeprefix("file://")))
    if url.startswith("s3://"):
        return S3Objects(url.removeprefix("s3://"), _open_s3(url))
    raise ConfigError(f"storage.objects_url {url!r}: must begin with {' or '.join(_SCHEMES)}")


def _open_s3(url: str) -> Any:
    import fsspec  # with its S3 part about a second: only for who uses it

    if not url.removeprefix("s3://").strip("/"):
        raise ConfigError(f"storage.objects_url {url!r}: names no bucket, as in s3://bucket/prefix")
    try:
        return fsspec.filesystem("s3", use_listings_cache=False)
    except ImportError as error:
        raise ConfigError("storage.objects_url is on S3, which needs: pip install 'neuroforge[s3]'") from error


class DirectoryObjects:
    """Keys are paths under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, path: Path) -> str:
        """See ObjectStore. A file that lies at its key already stays as it is."""
        target = self._path(key)
        with _translated(key):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (target.exists() and target.samefile(path)):
                _copy_whole(path, target)
        return target.as_uri()

    def get(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        source = self._path(key)
        if not source.is_file():
            raise NotFound(f"there is no object {key!r}", key=key)
        with _translated(key):
            _copy_whole(source, path)

    def list(self, prefix: str) -> tuple[str, ...]:
        """See ObjectStore."""
        folder = self._root / PurePosixPath(prefix).parent if not prefix.endswith("/") else self._root / prefix
        if not folder.is_dir():
            return ()
        keys = (one.relative_to(self._root).as_posix() for one in folder.rglob("*") if one.is_file())
        return tuple(sorted(key for key in keys if key.startswith(prefix)))

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)


class S3Objects:
    """Keys under `bucket/prefix`. An upload shows when it is whole: S3 has no half objects."""

    def __init__(self, root: str, files: Any) -> None:
        self._root = root.strip("/")
        self._files = files
        """An fsspec filesystem."""

    def put(self, key: str, path: Path) -> str:
        """See ObjectStore."""
        where = f"{self._root}/{checked_key(key)}"
        with _translated(key):
            self._files.put_file(str(path), where)
        return f"s3://{where}"

    def get(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        where = f"{self._root}/{checked_key(key)}"
        partial = path.with_name(f".{path.name}.partial")
        with _translated(key):
            try:
                self._files.get_file(where, str(partial))
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def list(self, prefix: str) -> tuple[str, ...]:
        """See ObjectStore."""
        with _translated(prefix):
            found = self._files.find(self._root, prefix=prefix, refresh=True)
        return tuple(sorted(str(one).removeprefix(f"{self._root}/") for one in found))


def checked_key(key: str) -> str:
    """Return the key if it is a plain relative path. Raises StorageError: it would leave the store."""
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\\" in key or "\0" in key:
        raise StorageError(f"{key!r} is no object key: use names with / between them")
    return key


def _copy_whole(source: Path, target: Path) -> None:
    with source.open("rb") as data, replacing(target, ".object-") as out:
        shutil.copyfileobj(data, out, 1 << 20)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Libraries behind fsspec raise OSError for what S3 refuses, and their own kinds for what never reached it."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"there is no object {key!r}", key=key) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"no space left for object {key!r}", key=key) from error
        raise StorageError(f"object {key!r}: {error.strerror or error}", key=key) from error
    except _network_errors() as error:
        raise StorageError(f"object {key!r}: {error}", key=key) from error


def _network_errors() -> tuple[type[Exception], ...]:
    """What botocore raises when nothing answers or no credentials are there; empty without the extra."""
    import sys

    module = sys.modules.get("botocore.exceptions")
    return () if module is None else (module.BotoCoreError, module.ClientError)
