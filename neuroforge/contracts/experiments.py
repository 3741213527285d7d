"""Experiments: what is asked (ExperimentConfig -> Cell), what came back (CellReply, CellScore), where a run stands."""

from typing import Literal, Self

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import LabelScore
from neuroforge.contracts.durations import Duration
from neuroforge.contracts.rules import Estimate
from neuroforge.contracts.runs import RunStatus
from neuroforge.contracts.scores import Score, ScorerName

MetricFamily = Literal["quality", "speed", "consistency", "cost"]
"""What a user asks for. quality: the dataset's scorer; speed: first token, tokens a second, latency; consistency:
agreement of a variant with itself over repeats and paraphrases; cost: USD and tokens."""
Form = Literal["plain", "published"]
"""Of a registry dataset's questions: as ours are put, or as the publication puts them."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,95}$"


class PromptTemplate(Contract):
    """One way to put a question: Jinja2 (sandboxed, strict) over the item's fields."""

    name: str = Field(default="plain", pattern=NAME_PATTERN)
    template: str = Field(default="{{ query }}", min_length=1)
    """The last user message. Fields: `query` (the question as it would be asked), and the item's own `fields`."""
    system: str | None = None
    """Also a template; None = no system message."""


class Decoding(Contract):
    """One decoding setting."""

    name: str = Field(default="greedy", pattern=NAME_PATTERN)
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    """None = what each item says."""
    stop: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Of repeat 0; repeat r uses seed + r."""


class DatasetSource(Contract):
    """Where items come from."""

    name: str = Field(min_length=1)
    """A registry dataset, a file that the server can read, or, with `uploaded`, what the caller calls it."""
    n: int | None = Field(default=None, ge=1)
    """Sampled in proportion to each kind of task, seeded; None = all."""
    split: str | None = None
    """Only items of this split; None = the one that is there: splits are never put together."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Of the sampling; None = the experiment's."""
    form: Form = "plain"
    """Of a registry dataset: asked as ours are, or as its publication prescribes (docs/DATASETS.md)."""
    uploaded: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of items that were uploaded before (PUT /admin/v1/experiments/items)."""

    @model_validator(mode="after")
    def _has_a_publication(self) -> Self:
        if self.uploaded is not None and self.form == "published":
            raise ValueError("uploaded items have no published form")
        return self


class Budget(Contract):
    """Limits of a run, its judge included; what does not fit any more stays open, and a later run goes on with it."""

    max_calls: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_cost_usd: float | None = Field(default=None, ge=0)
    max_duration: Duration | None = None


class Judge(Contract):
    """A model that grades replies, or pairs of them, where no reference can."""

    model_id: str
    mode: Literal["rubric", "pairwise"] = "rubric"
    rubric: str | None = Field(default=None, min_length=1)
    """What a good answer is; None = a general one."""
    allow_same_family: bool = False
    """Models favour their own kind: a judge of a contestant's family is refused unless this is set, and is reported."""


class Gate(Contract):
    """A condition for CI: `better` is not worse than `reference` by more than `margin`, tested for non-inferiority."""

    better: str
    """A variant: its id or, where that is unique, the model's."""
    reference: str
    margin: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _compares_two(self) -> Self:
        if self.better == self.reference:
            raise ValueError(f"a gate compares two variants, not {self.better!r} with itself")
        return self


class ExperimentConfig(Contract):
    """Everything that decides a run's result: same config, same datasets, same models: same cell ids."""

    name: str = Field(pattern=NAME_PATTERN)
    models: tuple[str, ...] = Field(min_length=1)
    datasets: tuple[DatasetSource, ...] = Field(min_length=1)
    prompts: tuple[PromptTemplate, ...] = Field(default=(PromptTemplate(),), min_length=1)
    decodings: tuple[Decoding, ...] = Field(default=(Decoding(),), min_length=1)
    repeats: int = Field(default=1, ge=1, le=100)
    metrics: tuple[MetricFamily, ...] = Field(default=("quality",), min_length=1)
    scorer: ScorerName | None = None
    """For every item, instead of the scorer that each declares; None = the item's own."""
    choice_by: Literal["text", "logprob"] = "text"
    """How multiple choice is read: from the reply, or from the labels' log-probabilities."""
    judge: Judge | None = None
    budget: Budget = Budget()
    concurrency: int | None = Field(default=None, ge=1, le=1024)
    """Calls at once to one model; None = its free slots."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Of sampling, bootstrap and permutation."""
    planned: tuple[tuple[str, str], ...] = ()
    """Pairs of variants compared as planned (Holm); all other pairs are exploratory (Benjamini-Hochberg)."""
    gates: tuple[Gate, ...] = ()
    skip_bad_rows: bool = False
    allow_unsandboxed: bool = False
    use_cache: bool = True

    @model_validator(mode="after")
    def _has_unique_names(self) -> Self:
        axes = {
            "model": self.models,
            "prompt": tuple(one.name for one in self.prompts),
            "decoding": tuple(one.name for one in self.decodings),
        }
        for axis, names in axes.items():
            if double := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"{axis} {double!r} stands twice")
        return self


class Variant(Contract):
    """One way to answer: a model with a prompt and a decoding setting. What leaderboards rank and tests compare."""

    id: str
    """The model's id where prompt and decoding are the only ones, else `model|prompt|decoding` less what is single."""
    model_id: str
    prompt: str
    decoding: str


class Cell(Contract):
    """One call of the matrix: an item asked of a variant for the r-th time."""

    id: str
    """Same item, prompt (name and text), model id and weights, decoding, repeat: same id, on every machine."""
    item_id: str
    dataset: str
    variant_id: str
    model_id: str
    repeat: int = Field(default=0, ge=0)


class CellRequest(Contract):
    """A cell, rendered: what is sent."""

    cell: Cell
    messages: tuple[JsonObject, ...] = Field(min_length=1, repr=False)
    tools: tuple[JsonObject, ...] = Field(default=(), repr=False)
    parameters: JsonObject
    """OpenAI's fields beside model, messages and tools: temperature, seed, max_tokens, stop, ..."""
    labels: tuple[str, ...] = ()
    """Not empty: ask for the labels' log-probabilities instead of a reply."""
    cache_key: str
    """Of weights' digest (or the model id), messages, tools, parameters and labels: same key, same reply."""
    n_tokens_estimate: int = Field(default=0, ge=0)
    """Prompt and answer together, from the text's length."""


class CellBatch(Contract):
    """Requests that go to one model together, those with a shared beginning next to each other."""

    model_id: str
    requests: tuple[CellRequest, ...] = Field(min_length=1)
    n_tokens_estimate: int = Field(default=0, ge=0)


class CellReply(Contract):
    """What came back for a cell; an error is kept as such. It counts once it stands in a writer's journal."""

    cell_id: str
    cache_key: str
    reply: str | None = Field(default=None, repr=False)
    """None when the call failed; "" when the model said nothing or called a tool only."""
    tool_calls: tuple[JsonObject, ...] = Field(default=(), repr=False)
    label_scores: tuple[LabelScore, ...] = ()
    finish_reason: str | None = None
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    ttft_s: float | None = Field(default=None, ge=0)
    """To the first token; None when the call failed or came from the cache, or only labels were asked for."""
    latency_s: float | None = Field(default=None, ge=0)
    """Of the attempt that succeeded, to its end; None as `ttft_s`."""
    cost_usd: float = Field(default=0.0, ge=0)
    """What its tokens cost; of a reply from the cache what they would have cost again."""
    error_code: str | None = None
    error: str | None = None
    is_retryable: bool = False
    """Whether the failure may pass: such a cell is asked again by the next run."""
    n_attempts: int = Field(default=1, ge=0)
    """Calls made for it; 0 = none: from the cache, or its model was given up before."""
    is_cached: bool = False
    at_s: float
    """Unix time."""

    @model_validator(mode="after")
    def _is_reply_or_error(self) -> Self:
        if (self.reply is None) == (self.error_code is None):
            raise ValueError("a cell has either a reply or an error")
        return self


class CellScore(Contract):
    """A judgement of one cell by one scorer; the newest of a (cell, scorer) counts."""

    cell_id: str
    scorer: str
    """A ScorerName, `human`, or `judge:<model id>`."""
    score: Score
    at_s: float


class Progress(Contract):
    """How far a run is."""

    n_cells: int = Field(ge=0)
    n_done: int = Field(default=0, ge=0)
    """Journalled, errors included."""
    n_errors: int = Field(default=0, ge=0)
    n_cached: int = Field(default=0, ge=0)
    n_tokens: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    elapsed_s: float = Field(default=0.0, ge=0)
    cells_per_s: float | None = Field(default=None, ge=0)
    """Of late; None before there is a rate."""
    eta_s: float | None = Field(default=None, ge=0)
    means: dict[str, Estimate] = Field(default_factory=dict)
    """Running mean quality by variant, with a 95 % interval."""
    stopped_by: str | None = None
    """What ended the run with cells left: a budget (`max_calls`, ...), `cancelled`, `disk_full`; None = nothing did."""


class CostEstimate(Contract):
    """What a run would take, told before it starts."""

    n_cells: int = Field(ge=0)
    n_cached: int = Field(ge=0)
    n_calls: int = Field(ge=0)
    n_prompt_tokens: int = Field(ge=0)
    n_completion_tokens_max: int = Field(ge=0)
    cost_usd_max: float = Field(ge=0)
    duration_s: float | None = Field(default=None, ge=0)
    """From the models' live statistics; None where none are known."""
    notes: tuple[str, ...] = ()
    """What a reader should know of it, such as how many of the calls are a judge's."""


class ExperimentStatus(RunStatus):
    """Where an experiment stands. Its directory holds journal, Parquet, analysis and report."""

    config: ExperimentConfig
    progress: Progress | None = None
    estimate: CostEstimate | None = None
    rerun_of: str | None = None
