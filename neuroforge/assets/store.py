"""The assets on this machine: known by hash, verified before use, pulled by one process at a time."""

import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from neuroforge.assets.add import describe_origin
from neuroforge.assets.catalog import USER_CATALOG, dump_entries, find_entry, load_builtin, load_user
from neuroforge.assets.disk import FreeSpace, free_bytes, used_bytes, write_atomically
from neuroforge.assets.facts import read_facts
from neuroforge.assets.gguf import read_gguf_header
from neuroforge.assets.join import hash_file
from neuroforge.assets.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from neuroforge.assets.progress import Meter, Progress
from neuroforge.assets.pull import Workplace, open_network, pull_entry
from neuroforge.contracts.assets import AssetEntry, AssetStatus, ModelFacts
from neuroforge.errors import AssetError, AssetNotFound, ConflictError, DataError, HashMismatch

logger = logging.getLogger(__name__)


class AssetStore:
    """Files under `<home>/assets`, one directory an asset. Threads and processes may share it; methods block.

    Errors of every method that takes a name: AssetNotFound, with the nearest names, when the catalog does not have it.
    """

    def __init__(
        self,
        home: Path,
        environ: Mapping[str, str] | None = None,
        free_space: FreeSpace = free_bytes,
        builtin: tuple[AssetEntry, ...] | None = None,
    ) -> None:
        """Args:
        environ: Read for HF_ENDPOINT and HF_TOKEN, and given to npm; None = the process's own.
        free_space: Bytes free below a directory.
        builtin: The catalog; None = the one that ships with NeuroForge.
        """
        self.directory = home / "assets"
        self._environ = os.environ if environ is None else environ
        self._free_space = free_space
        self._builtin = load_builtin() if builtin is None else builtin

    def entries(self) -> tuple[AssetEntry, ...]:
        """Return the catalog, then the user's own."""
        return (*self._builtin, *load_user(self.directory / USER_CATALOG))

    def entry(self, name: str) -> AssetEntry:
        """Return one entry."""
        return find_entry(name, self.entries())

    def statuses(self) -> tuple[AssetStatus, ...]:
        """Return one line an entry; cheap: sizes and times are compared, nothing is hashed."""
        return tuple(self._status(entry) for entry in self.entries())

    def status(self, name: str) -> AssetStatus:
        """Return the line of one entry."""
        return self._status(self.entry(name))

    def path(self, name: str) -> Path:
        """Return the file of an asset of one file, the first shard of a GGUF in several, else the directory.

        Raises:
            AssetNotFound: Not pulled, or changed since.
        """
        entry = self.entry(name)
        if self._manifest_of(entry) is None:
            raise AssetNotFound(f"{entry.name} is not here yet: `neuroforge models pull {entry.name}`", name=entry.name)
        return self._path_of(entry)

    def ensure(self, name: str, progress: Progress | None = None) -> Path:
        """Return the path as `path`, after pulling what is missing. A second caller waits for the first.

        Raises:
            AssetNotFound: Every source failed: says what was tried and what to do.
            HashMismatch: A source gave other bytes than the pinned ones.
            DiskFull: It would not fit.
            AssetError: The store's directory cannot be written.
        """
        entry = self.entry(name)
        if self._manifest_of(entry) is not None:
            return self._path_of(entry)
        try:
            with self._lock(entry.name):
                if self._manifest_of(entry) is None:
                    self._pull(entry, Meter(entry.name, progress))
        except OSError as error:
            raise AssetError(f"{entry.name}: {error.filename or self.directory}: {error.strerror}") from error
        return self._path_of(entry)

    def verify(self, name: str) -> AssetStatus:
        """Hash every file again.

        Raises:
            AssetNotFound: Not here.
            HashMismatch: A file changed; the asset counts as absent from now on, so that the next use pulls it again.
        """
        entry = self.entry(name)
        with self._lock(entry.name):
            directory = self._directory_of(entry)
            manifest = read_manifest(directory)
            if manifest is None:
                raise AssetNotFound(f"{entry.name} is not here: nothing to verify", name=entry.name)
            for file in manifest.files:
                path = directory / file.name
                actual = hash_file(path).sha256 if path.is_file() else "missing"
                if actual != file.sha256:
                    (directory / MANIFEST).unlink()
                    raise HashMismatch(
                        f"{entry.name}: {file.name} is not what was pulled (SHA-256 {actual}, pinned {file.sha256}); "
                        f"pull it again: `neuroforge models pull {entry.name}`",
                        expected=file.sha256,
                        actual=actual,
                    )
        return self._status(entry)

    def remove(self, name: str) -> int:
        """Delete its files, and the entry too if the user added it; a user's own file that was linked stays.

        Returns:
            Bytes given back.
        Raises:
            AssetNotFound: A catalog entry that is not here.
        """
        entry = self.entry(name)
        with self._lock(entry.name):
            directory, staging = self._directory_of(entry), self._staging_of(entry).parent
            freed = used_bytes(directory) + used_bytes(staging)
            if not entry.is_user_added and not directory.exists() and not staging.exists():
                raise AssetNotFound(f"{entry.name} is not here: nothing to remove", name=entry.name)
            for folder in (directory, staging):
                if folder.exists():
                    shutil.rmtree(folder)
            if entry.is_user_added:
                self._change_user_catalog(entry.name, None)
        return freed

    def add(self, origin: str, name: str | None = None, licence: str | None = None) -> AssetEntry:
        """Add the user's own: a path, `hf:owner/repo[:file]` or a URL.

        The hash is pinned now where it is known, else on first use.


        Raises:
            AssetNotFound: No such file, or the hub does not have it or is out of reach.
            DataError: Not a GGUF or safetensors model, or no usable name.
            ConflictError: The name is taken.
        """
        with open_network(self._environ, self._free_space) as network:
            entry = describe_origin(origin, name, licence, network)
        if any(entry.name == one.name for one in self.entries()):
            raise ConflictError(
                f"an asset called {entry.name!r} exists: choose another with --name, or remove it first"
            )
        self._change_user_catalog(entry.name, entry)
        return entry

    def facts(self, name: str) -> ModelFacts:
        """Return what the header of a pulled model says.

        Raises:
            AssetNotFound: Not pulled.
            DataError: Not a model.
        """
        return read_facts(self.path(name))

    def _pull(self, entry: AssetEntry, meter: Meter) -> None:
        place = Workplace(self._directory_of(entry), self._staging_of(entry))
        with open_network(self._environ, self._free_space) as network:
            manifest = pull_entry(entry, read_manifest(place.directory), place, network, meter)
        if entry.is_user_added:
            _check_ggufs(entry, place.directory)
        write_manifest(manifest, place.directory)
        shutil.rmtree(place.staging.parent, ignore_errors=True)
        if any(file.sha256 is None for file in entry.files):
            self._change_user_catalog(entry.name, _pinned(entry, manifest))
        logger.info(
            "asset pulled", extra={"asset": entry.name, "n_bytes": sum(file.n_bytes for file in manifest.files)}
        )

    def _status(self, entry: AssetEntry) -> AssetStatus:
        manifest = self._manifest_of(entry)
        sizes = [file.n_bytes for file in (manifest.files if manifest else entry.files)]
        known = [size for size in sizes if size is not None]
        return AssetStatus(
            name=entry.name,
            kind=entry.kind,
            licence=entry.licence,
            is_present=manifest is not None,
            n_bytes=sum(known) if len(known) == len(sizes) else None,
            sha256=entry.files[0].sha256 if len(entry.files) == 1 else None,
            path=str(self._path_of(entry)) if manifest else None,
            is_user_added=entry.is_user_added,
        )

    def _manifest_of(self, entry: AssetEntry) -> Manifest | None:
        manifest = read_manifest(self._directory_of(entry))
        return manifest if manifest is not None and manifest.holds(entry, self._directory_of(entry)) else None

    def _path_of(self, entry: AssetEntry) -> Path:
        directory, first = self._directory_of(entry), entry.files[0].name
        return directory / first if len(entry.files) == 1 or first.lower().endswith(".gguf") else directory

    def _directory_of(self, entry: AssetEntry) -> Path:
        return self.directory / entry.name

    def _staging_of(self, entry: AssetEntry) -> Path:
        """Keyed by content: parts of a file that the catalog has since replaced are not joined into the new one."""
        key = "\n".join(file.sha256 or file.model_dump_json() for file in entry.files)
        return self.directory / ".staging" / entry.name / hashlib.sha256(key.encode()).hexdigest()[:16]

    def _lock(self, name: str) -> FileLock:
        locks = self.directory / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{name}.lock")

    def _change_user_catalog(self, name: str, entry: AssetEntry | None, is_new: bool = False) -> None:
        with self._lock(".user-catalog"):
            path = self.directory / USER_CATALOG
            own = load_user(path)
            if is_new and any(one.name == name for one in (*self._builtin, *own)):
                raise ConflictError(f"an asset called {name!r} exists: choose another with --name, or remove it first")
            others = [one for one in own if one.name != name]
            # For its owner only: a URL may hold a token.
            write_atomically(path, dump_entries([*others, entry] if entry is not None else others), mode=0o600)


def _check_ggufs(entry: AssetEntry, directory: Path) -> None:
    """Refuse to pin what is no model, such as the log-in page that a URL led to."""
    for file in entry.files:
        if not file.name.lower().endswith(".gguf"):
            continue
        try:
            read_gguf_header(directory / file.name)
        except DataError as error:
            (directory / file.name).unlink()
            raise DataError(f"{entry.name}: what came is not a model, and was removed: {error.message}") from error


def _pinned(entry: AssetEntry, manifest: Manifest) -> AssetEntry:
    sha256_by_name = {file.name: file.sha256 for file in manifest.files}
    size_by_name = {file.name: file.n_bytes for file in manifest.files}
    files = [
        {**file.model_dump(), "sha256": sha256_by_name[file.name], "n_bytes": size_by_name[file.name]}
        for file in entry.files
    ]
    return AssetEntry.model_validate({**entry.model_dump(), "files": files})
