"""What lies in an asset's directory, written after everything in it was verified."""

import json
from pathlib import Path

from pydantic import Field, ValidationError

from neuroforge.assets.disk import write_atomically
from neuroforge.contracts.assets import SHA256_PATTERN, AssetEntry, AssetFile
from neuroforge.contracts.base import Contract

MANIFEST = "manifest.json"


class PlacedFile(Contract):
    """One verified file. Size and time tell cheaply whether somebody changed it since."""

    name: str
    sha256: str = Field(pattern=SHA256_PATTERN)
    n_bytes: int = Field(ge=0)
    mtime_ns: int
    source: str

    def is_untouched(self, directory: Path) -> bool:
        """Whether size and time are still those of the verified file; follows a link to the user's own file."""
        try:
            facts = (directory / self.name).stat()
        except OSError:
            return False
        return (facts.st_size, facts.st_mtime_ns) == (self.n_bytes, self.mtime_ns)


class Manifest(Contract):
    """All files of one asset."""

    name: str
    files: tuple[PlacedFile, ...]

    def placed(self, file: AssetFile) -> PlacedFile | None:
        """Return the record of that file, if it has the pinned hash."""
        found = next((one for one in self.files if one.name == file.name), None)
        return found if found is not None and file.sha256 in (None, found.sha256) else None

    def holds(self, entry: AssetEntry, directory: Path) -> bool:
        """Whether every file of the entry is there, as pinned and untouched."""
        placed = [self.placed(file) for file in entry.files]
        return all(one is not None and one.is_untouched(directory) for one in placed)


def read_manifest(directory: Path) -> Manifest | None:
    """Return None if there is none or it cannot be read: the asset then counts as absent and is pulled again."""
    try:
        return Manifest.model_validate_json((directory / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_manifest(manifest: Manifest, directory: Path) -> None:
    """Replace it in one step."""
    write_atomically(directory / MANIFEST, json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n")
