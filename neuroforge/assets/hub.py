"""hf:owner/repo[:file] -> the files worth having, with the hashes that the hub knows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from neuroforge.assets.download import Downloader
from neuroforge.assets.failures import SourceFailed
from neuroforge.contracts.assets import AssetFile, HubSource

DEFAULT_ENDPOINT = "https://huggingface.co"
QUANTIZATIONS = (
    "Q4_K_M",
    "Q4_K_S",
    "Q5_K_M",
    "Q4_0",
    "Q4_1",
    "IQ4_XS",
    "Q5_K_S",
    "Q6_K",
    "Q8_0",
    "Q3_K_M",
    "F16",
    "BF16",
)
"""From most to least wanted: 4 bits with k-quants lose little and fit a laptop."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.(gguf|safetensors)$", re.IGNORECASE)
_CHECKPOINT_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".jinja")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class HubAccess:
    """Which hub, and as whom."""

    endpoint: str = DEFAULT_ENDPOINT
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "HubAccess":
        """Read HF_ENDPOINT and HF_TOKEN, the names that the hub's own tools use."""
        return cls(environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT, environ.get("HF_TOKEN") or None)

    @property
    def headers(self) -> dict[str, str]:
        """Sent to the hub only: the HTTP client drops them when it is sent on to another host."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def file_url(self, source: HubSource) -> str:
        """Address of one file at one revision."""
        path = f"{quote(source.repo)}/resolve/{quote(source.revision, safe='')}/{quote(source.filename)}"
        return f"{self.endpoint.rstrip('/')}/{path}"

    def repo_url(self, repo: str) -> str:
        """Address of a repository's description."""
        return f"{self.endpoint.rstrip('/')}/api/models/{quote(repo)}?blobs=true"


@dataclass(frozen=True)
class HubModel:
    """What a repository offers for one asset."""

    files: tuple[AssetFile, ...]
    licence: str


def describe_hub_model(access: HubAccess, downloader: Downloader, repo: str, filename: str | None) -> HubModel:
    """Choose the files: the named one, else the best GGUF quantisation, else the safetensors checkpoint.

    The revision is pinned to today's commit, and each hash that the hub states is pinned too.

    Raises:
        SourceFailed: Unreachable, unknown, or without a model in a format that an engine reads.
    """
    _, body = downloader.read_page(access.repo_url(repo), access.headers)
    try:
        description: dict[str, Any] = json.loads(body)
        offered = {str(one["rfilename"]): one for one in description["siblings"]}
        revision = str(description.get("sha") or "main")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceFailed(f"hf:{repo}: the hub's answer is not a repository") from error
    names = choose_files(sorted(offered), repo, filename)
    card = description.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    files = tuple(_asset_file(offered[name], repo, revision) for name in names)
    return HubModel(files=files, licence=licence if isinstance(licence, str) else "unknown")


def choose_files(names: list[str], repo: str, filename: str | None) -> list[str]:
    """Return what to fetch, all shards of it, in order.

    Raises:
        SourceFailed: Nothing fits; names what there is.
    """
    weights = [name for name in names if name.lower().endswith(".gguf")]
    if filename is not None:
        if filename not in names:
            raise SourceFailed(f"hf:{repo} has no file {filename!r}; it has {', '.join(weights or names[:20])}")
        return _with_shards(filename, names)
    models = [name for name in weights if "mmproj" not in name.lower()]
    if models:
        return _with_shards(min(models, key=_preference), names)
    if "config.json" in names and any(name.endswith(".safetensors") for name in names):
        return [name for name in names if "/" not in name and name.endswith(_CHECKPOINT_SUFFIXES)]
    raise SourceFailed(f"hf:{repo} has neither GGUF nor safetensors with a config.json")


def _preference(name: str) -> tuple[int, int, str]:
    upper = name.upper().replace("-", "_")
    rank = next((index for index, one in enumerate(QUANTIZATIONS) if one in upper), len(QUANTIZATIONS))
    shard = _SHARD.search(name)
    return rank, int(shard[1]) if shard else 0, name


def _with_shards(name: str, names: list[str]) -> list[str]:
    shard = _SHARD.search(name)
    if shard is None:
        return [name]
    stem = name[: shard.start()]
    end = name[shard.start(2) - len("-of-") :]
    return [one for one in names if _SHARD.search(one) and one.startswith(stem) and one.endswith(end)]


def _asset_file(offered: dict[str, Any], repo: str, revision: str) -> AssetFile:
    lfs = offered.get("lfs")
    sha256 = lfs.get("sha256") if isinstance(lfs, dict) else None
    is_hash = isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None
    size = offered.get("size")
    name = str(offered["rfilename"])
    return AssetFile(
        name=name,
        sha256=sha256 if is_hash else None,
        n_bytes=size if isinstance(size, int) and size >= 0 else None,
        sources=(HubSource(repo=repo, filename=name, revision=revision),),
    )
