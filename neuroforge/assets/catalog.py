"""The names that exist: the catalog that ships with NeuroForge, then what the user added."""

import difflib
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from neuroforge.contracts.assets import AssetEntry
from neuroforge.errors import AssetNotFound, DataError

USER_CATALOG = "user.yaml"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
_ENTRIES = TypeAdapter(tuple[AssetEntry, ...])


def load_builtin() -> tuple[AssetEntry, ...]:
    """Read the catalog that ships with the package."""
    text = resources.files("neuroforge.assets").joinpath("catalog.yaml").read_text(encoding="utf-8")
    return parse_entries(yaml.safe_load(text), source="catalog.yaml")


def load_user(path: Path) -> tuple[AssetEntry, ...]:
    """Read the user's own entries; a missing file means none.

    Raises:
        DataError: Not YAML, or an entry that cannot be used.
    """
    if not path.is_file():
        return ()
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML; correct or delete it") from error
    return parse_entries(tree or [], source=str(path))


def parse_entries(tree: Any, source: str) -> tuple[AssetEntry, ...]:
    """Check a decoded catalog: every entry whole, names unique and safe as directory names, file names inside it.

    Raises:
        DataError: Names the first problem.
    """
    try:
        entries = _ENTRIES.validate_python(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise DataError(f"{source}: {where}: {problem['msg']}") from error
    names = [entry.name for entry in entries]
    for entry in entries:
        if not NAME_PATTERN.fullmatch(entry.name):
            raise DataError(f"{source}: asset name {entry.name!r} must match {NAME_PATTERN.pattern}")
        if names.count(entry.name) > 1:
            raise DataError(f"{source}: asset {entry.name!r} stands twice")
        for file in entry.files:
            check_file_name(file.name)
    return entries


def dump_entries(entries: Iterable[AssetEntry]) -> str:
    """Return YAML that `parse_entries` reads back."""
    tree = [entry.model_dump(mode="json", exclude_none=True) for entry in entries]
    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return text


def check_file_name(name: str) -> None:
    """Refuse a name that would leave the asset's directory.

    Raises:
        DataError: Absolute, with `..`, a backslash, a colon or a control character, or hidden.
    """
    parts = PurePosixPath(name).parts
    is_odd = any(char in "\\:" or ord(char) < 32 for char in name)
    if not parts or name.startswith("/") or is_odd or any(part.startswith(".") for part in parts):
        raise DataError(f"file name {name!r} must be a relative path inside the asset, without `..` or hidden parts")
    if name == "manifest.json":
        raise DataError("file name 'manifest.json' is taken by the store's own record")


def find_entry(name: str, entries: Sequence[AssetEntry]) -> AssetEntry:
    """Return the entry of that name; letter case does not matter.

    Raises:
        AssetNotFound: None has it; the message says the nearest names.
    """
    wanted = name.lower()
    for entry in entries:
        if entry.name == wanted:
            return entry
    known = [entry.name for entry in entries]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    raise AssetNotFound(
        f"no asset is called {name!r}; {hint} (`neuroforge models add` adds a model of your own)",
        name=name,
        known=known,
    )
