"""What a model is (ModelSpec), where it answers (ModelEndpoint), and how it does (ModelStatus)."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.durations import Duration

MODEL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"

Capability = Literal[
    "chat",
    "completion",
    "embedding",
    "count_tokens",
    "label_logprobs",
    "tools",
    "json_object",
    "json_schema",
    "logprobs",
    "top_logprobs",
    "echo",
    "suffix",
    "best_of",
    "seed",
    "stop",
    "n",
    "logit_bias",
    "penalties",
    "vision",
    "audio",
    "reasoning_effort",
]
"""What a request may need and an engine may offer; a request's fields map to these in gateway/requirements.py."""


class EngineKind(StrEnum):
    """The backends: one file each in `neuroforge.engines`."""

    LLAMACPP = "llamacpp"
    VLLM = "vllm"
    OPENAI_HTTP = "openai_http"


class ReplicaRange(Contract):
    """How many replicas may run; `min` 0 lets the model leave memory when idle."""

    min: int = Field(default=1, ge=0)
    max: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _is_ordered(self) -> "ReplicaRange":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Price(Contract):
    """What a million tokens cost, in USD; of a local model its electricity, or zero."""

    input_usd_per_million: float = Field(default=0.0, ge=0)
    output_usd_per_million: float = Field(default=0.0, ge=0)

    def cost_usd(self, n_prompt_tokens: int, n_completion_tokens: int) -> float:
        """Price of one request."""
        return (n_prompt_tokens * self.input_usd_per_million + n_completion_tokens * self.output_usd_per_million) / 1e6


class Upstream(Contract):
    """An OpenAI-compatible server elsewhere (Ollama, a vLLM server, ...)."""

    base_url: str = Field(pattern=r"^https?://\S+$")
    """Up to and including the version, for example http://127.0.0.1:11434/v1."""
    model: str | None = None
    """The model's name there; None = the same id."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself is never written to a file."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    max_retries: int = Field(default=2, ge=0, le=10)
    """Retries of requests that have not produced a token."""


class ModelSpec(Contract):
    """One entry of `models` in neuroforge.yaml: a wish; ModelStatus says what became of it."""

    id: str = Field(pattern=MODEL_ID_PATTERN)
    engine: EngineKind = EngineKind.LLAMACPP
    asset: str | None = None
    """Name in the catalog; None with neither path nor upstream = the id."""
    path: str | None = None
    """A GGUF file (llamacpp) or a checkpoint directory (vllm) of the user's own."""
    upstream: Upstream | None = None
    context_length: int = Field(default=4096, ge=128)
    """Tokens of prompt and answer together, for each parallel sequence."""
    parallel: int = Field(default=4, ge=1, le=1024)
    """Sequences that decode together in one replica."""
    max_queue: int = Field(default=64, ge=0)
    """Requests that may wait in one replica; more are refused with 429."""
    threads: int | None = Field(default=None, ge=1)
    """None = cores less one, shared by the models that run beside this one."""
    replicas: ReplicaRange = ReplicaRange()
    cpus: float | None = Field(default=None, ge=0)
    """Ray CPUs reserved a replica (a budget, not a limit); None = a small share that leaves room for jobs."""
    gpus: float = Field(default=0.0, ge=0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    preload: bool = True
    """Load at start; else at the first request."""
    load_on_demand: bool = True
    """Whether a request for the unloaded model loads it; else it is a 503."""
    keep_alive: Duration | None = None
    """Idle seconds after which the model is unloaded; None = never. In YAML also "10m"."""
    price: Price = Price()
    tags: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] | None = None
    """None = all that the engine offers; else only these (for example without `tools`)."""
    engine_options: dict[str, Any] = Field(default_factory=dict)
    """Passed on by the engine's own names (vLLM's engine_kwargs, llama.cpp's CommonParams); unknown ones are errors."""

    @field_validator("engine", mode="before")
    @classmethod
    def _is_known_engine(cls, value: Any) -> Any:
        return value.value if isinstance(value, EngineKind) else value

    @model_validator(mode="after")
    def _has_one_origin(self) -> "ModelSpec":
        given = [name for name in ("asset", "path", "upstream") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of asset, path and upstream, not {' and '.join(given)}")
        if (self.engine == EngineKind.OPENAI_HTTP) != (self.upstream is not None):
            raise ValueError("engine openai_http and upstream need each other")
        return self

    @property
    def asset_name(self) -> str | None:
        """The catalog name, or None when a path or an upstream is used."""
        if self.path is not None or self.upstream is not None:
            return None
        return self.asset or self.id


class ModelState(StrEnum):
    """unloaded -> loading -> ready -> unloading -> unloaded; failed keeps the error until the next load."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    FAILED = "failed"


class EngineStats(Contract):
    """What one replica says of itself at GET /stats."""

    slots_total: int = Field(ge=0)
    slots_busy: int = Field(ge=0)
    queued: int = Field(ge=0)
    n_requests: int = Field(default=0, ge=0)
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    ttft_s: float | None = Field(default=None, ge=0)
    """Moving average of time to first token; None before the first answer."""
    s_per_token: float | None = Field(default=None, ge=0)
    """Moving average of time per generated token of one sequence; None before the first answer."""
    resident_bytes: int | None = Field(default=None, ge=0)
    """Resident memory of the replica's process; None where the engine does not tell."""


class ModelStatus(Contract):
    """What became of one ModelSpec."""

    id: str
    engine: EngineKind
    state: ModelState
    error: str | None = None
    n_replicas: int = Field(default=0, ge=0)
    context_length: int | None = None
    capabilities: tuple[Capability, ...] = ()
    loaded_at_s: float | None = None
    """Unix time."""
    last_used_s: float | None = None
    """Unix time."""
    stats: EngineStats | None = None
    tags: tuple[str, ...] = ()
    price: Price = Price()
    keep_alive: Duration | None = None
    digest: str | None = None
    """What changes when the weights do: SHA-256 of a catalog entry's files, of a path's names, sizes and times."""


class ModelEndpoint(Contract):
    """Where a model answers: enough for `EngineClient`, and for the router's hard filters."""

    model_id: str
    engine: EngineKind
    base_url: str
    """Without a trailing slash, up to what precedes `/chat/completions`: http://127.0.0.1:8000/models/<id>/v1."""
    served_name: str
    """The name to put into `model` of the engine's request."""
    context_length: int | None
    capabilities: frozenset[Capability]
    state: ModelState
    load_on_demand: bool = True
    preload: bool = True
    parallel: int = Field(default=1, ge=1)
    """Sequences that decode together, over all replicas."""
    n_replicas: int = Field(default=0, ge=0)
    price: Price = Price()
    tags: tuple[str, ...] = ()
    stats: EngineStats | None = None
    created_at_s: int = 0
    api_key: str | None = Field(default=None, repr=False)
    """Of an upstream; None for our own engines, which take the internal token."""
    connect_timeout_s: float = 5.0
    max_retries: int = 2
    error: str | None = None
    """Why it is `failed`."""
