"""What a user typed -> an AssetEntry: PATH, hf:owner/repo[:file] or URL."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from neuroforge.assets.catalog import NAME_PATTERN, check_file_name
from neuroforge.assets.facts import gguf_shards, read_facts
from neuroforge.assets.failures import SourceFailed, redact_url
from neuroforge.assets.hub import describe_hub_model
from neuroforge.assets.join import hash_file
from neuroforge.assets.pull import Network
from neuroforge.contracts.assets import AssetEntry, AssetFile, FileSource, UrlSource
from neuroforge.errors import AssetNotFound, DataError

_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?::(?P<file>[^:]+))?")
_CHECKPOINT_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")


def describe_origin(origin: str, name: str | None, licence: str | None, network: Network) -> AssetEntry:
    """Return the entry for the user's own model; nothing is downloaded but the hub's description of a repository.

    Args:
        origin: A path, hf:owner/repo[:file], or the URL of a GGUF file.
        name: None = made from the file's or repository's name.
        licence: None = what the hub says, else "unknown".
    Raises:
        AssetNotFound: No such file, or the hub did not give a description.
        DataError: Not a model in a format that an engine reads, or no usable name.
    """
    if origin.startswith("hf:"):
        return _from_hub(origin, name, licence, network)
    if origin.startswith(("http://", "https://")):
        return _from_url(origin, name, licence)
    return _from_path(Path(origin).expanduser().absolute(), name, licence)


def _from_hub(origin: str, name: str | None, licence: str | None, network: Network) -> AssetEntry:
    match = _HUB.fullmatch(origin)
    if match is None:
        raise DataError(f"{origin!r} is not hf:owner/repo or hf:owner/repo:file")
    try:
        model = describe_hub_model(network.hub, network.downloader, match["repo"], match["file"])
    except SourceFailed as failure:
        raise AssetNotFound(f"{origin}: {failure}", tried=[str(failure)]) from failure
    default = match["file"] or match["repo"].partition("/")[2]
    return _entry(name or make_name(default), licence or model.licence, model.files, f"added from {origin}")


def _from_url(origin: str, name: str | None, licence: str | None) -> AssetEntry:
    filename = PurePosixPath(unquote(urlsplit(origin).path)).name
    if not filename.lower().endswith(".gguf"):
        raise DataError(f"{redact_url(origin)}: the address must end in the name of a .gguf file")
    files = (AssetFile(name=filename, sources=(UrlSource(url=origin),)),)
    return _entry(name or make_name(filename), licence or "unknown", files, f"added from {redact_url(origin)}")


def _from_path(path: Path, name: str | None, licence: str | None) -> AssetEntry:
    if not path.exists():
        raise AssetNotFound(f"{path}: no such file or directory (or write hf:owner/repo, or a URL)", tried=[str(path)])
    facts = read_facts(path)
    if path.is_dir():
        found = [one for one in sorted(path.iterdir()) if one.is_file() and one.suffix in _CHECKPOINT_SUFFIXES]
    else:
        found = gguf_shards(path)
    files = []
    for one in found:
        digest = hash_file(one)
        files.append(
            AssetFile(name=one.name, sha256=digest.sha256, n_bytes=digest.n_bytes, sources=(FileSource(path=str(one)),))
        )
    kind = "embedder" if facts.is_embedding_model else "model"
    entry = _entry(name or make_name(path.name), licence or "unknown", tuple(files), f"added from {path}")
    return AssetEntry.model_validate({**entry.model_dump(), "kind": kind})


def _entry(name: str, licence: str, files: tuple[AssetFile, ...], description: str) -> AssetEntry:
    if not NAME_PATTERN.fullmatch(name):
        raise DataError(f"asset name {name!r} must match {NAME_PATTERN.pattern}; choose one with --name")
    for file in files:
        check_file_name(file.name)
    return AssetEntry(
        name=name, kind="model", description=description, licence=licence, files=files, is_user_added=True
    )


def make_name(filename: str) -> str:
    """Return a name in the catalog's alphabet: lower case, without suffix and shard number."""
    stem = PurePosixPath(filename).name.lower().removesuffix(".gguf")
    stem = re.sub(r"-\d{5}-of-\d{5}$", "", stem)
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")
