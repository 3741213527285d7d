"""Prompts as programs (PromptProgram), what is searched (OptimizeConfig), what was found, and what is served."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget, DatasetSource, Decoding
from neuroforge.contracts.prompt_worth import Assessment, PairWorth, SlotWorth
from neuroforge.contracts.rules import Estimate
from neuroforge.contracts.scores import ScorerName

PROMPT_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_READS_AS_VERSION = re.compile(r"latest|v?[0-9]+")
Delimiter = Literal["blank", "markdown", "xml", "hash"]
"""How sections are kept apart: an empty line, `## Title`, `<title>...</title>`, or `### Title`."""
DemonstrationStyle = Literal["turns", "text"]
"""Demonstrations as earlier turns of the conversation, or inside the prompt's text."""
Placement = Literal["system", "user"]
"""Where the sections before the question stand."""
PromptStrategy = Literal["evolution", "nas", "nas_evolution"]
"""`evolution` changes one part at a time. `nas` learns first what each part of the structure is worth, then fine-tunes
the best; Optuna's TPE offers structures. `nas_evolution` is the same with regularised evolution offering them."""
Section = Literal[
    "role",
    "instruction",
    "constraints",
    "reasoning_cue",
    "demonstrations",
    "output_format",
    "answer_cue",
]


def _with_plain_newlines(text: str) -> str:
    """Templates know one kind: another would be served otherwise than it was evaluated."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_no_version(alias: str) -> str:
    if _READS_AS_VERSION.fullmatch(alias):
        raise ValueError(f"{alias!r} reads as a version: take a word such as 'production' or 'staging'")
    return alias


Words = Annotated[str, AfterValidator(_with_plain_newlines)]
AliasName = Annotated[str, Field(pattern=PROMPT_NAME), AfterValidator(_is_no_version)]
"""What callers name a version of a prompt by: `prompt:name@alias`."""


class Demonstration(Contract):
    """One example with its answer, as the prompt shows it."""

    question: Words = Field(min_length=1)
    answer: Words = Field(min_length=1)
    reasoning: Words | None = None
    """Steps before the answer, shown where the program has a reasoning cue."""
    item_id: str | None = None
    """Item that it was made of; None = written by hand."""
    is_bootstrapped: bool = False
    """The answer is a model's own, which the scorer found right."""


class PromptStyle(Contract):
    """How the sections are put on the page."""

    delimiter: Delimiter = "blank"
    demonstrations: DemonstrationStyle = "text"
    placement: Placement = "user"
    section_order: tuple[Section, ...] = (
        "role",
        "instruction",
        "constraints",
        "output_format",
        "reasoning_cue",
        "demonstrations",
        "answer_cue",
    )
    """Of those before the question; `answer_cue` always comes after it, wherever it stands here."""

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if sorted(self.section_order) != sorted(set(self.section_order)) or len(self.section_order) != 7:
            raise ValueError("section_order names each of the seven sections once")
        return self


class PromptProgram(Contract):
    """The genome: typed sections, their style, and how the model is asked. Empty sections are not rendered."""

    role: Words | None = None
    instruction: Words = ""
    constraints: tuple[Words, ...] = ()
    reasoning_cue: Words | None = None
    """Such as `Think step by step.`"""
    demonstrations: tuple[Demonstration, ...] = ()
    output_format: Words | None = None
    answer_cue: Words | None = None
    """Last words of the prompt, such as `Answer:`."""
    input_template: Words = "{{ query }}"
    """Jinja2 (sandboxed, strict) over the item's variables: the question inside the last user message."""
    style: PromptStyle = PromptStyle()
    verbalizer: dict[str, Words] = Field(default_factory=dict)
    """Label -> the word that stands for it in the prompt and in the answer."""
    decoding: Decoding = Decoding()
    calibrate: bool = False
    """Of label log-probabilities: less those of the same prompt without a question (contextual calibration)."""
    n_samples: int = Field(default=1, ge=1, le=32)
    """Answers that vote; more than 1 needs a temperature above 0."""

    @model_validator(mode="after")
    def _can_vote(self) -> Self:
        if self.n_samples > 1 and self.decoding.temperature == 0:
            raise ValueError(f"{self.n_samples} samples at temperature 0 are all the same: raise decoding.temperature")
        return self


class PromptCandidate(Contract):
    """A program on trial, with where it came from."""

    id: str
    """SHA-256 of the program, 16 digits: same program, same id."""
    program: PromptProgram
    operator: str
    """What made it: `seed`, or the operator's name."""
    parents: tuple[str, ...] = ()
    generation: int = Field(default=0, ge=0)


class Evaluation(Contract):
    """What one candidate got on one block of items."""

    candidate_id: str
    block: int = Field(ge=0)
    item_ids: tuple[str, ...]
    scores: tuple[float | None, ...]
    """Of each item, 0..1; None = the call failed or nobody can score it."""
    fitness: tuple[float | None, ...]
    """What the search climbs, 0..1: probability of the right label where the engine tells it, else the score."""
    n_calls: int = Field(ge=0)
    n_prompt_tokens: int = Field(ge=0)
    n_completion_tokens: int = Field(ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    latency_s: float = Field(default=0.0, ge=0)
    """Mean of the calls that were answered."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Items without a score, by reason."""

    @model_validator(mode="after")
    def _is_aligned(self) -> Self:
        if not len(self.item_ids) == len(self.scores) == len(self.fitness):
            raise ValueError("item_ids, scores and fitness have one entry an item")
        return self


class OptimizeConfig(Contract):
    """Everything that decides a run."""

    name: str = Field(pattern=PROMPT_NAME)
    prompt: str | None = None
    """The seed as text; exactly one of prompt and program."""
    program: PromptProgram | None = None
    target_model: str | None = None
    """None = the model that `auto:best` would choose for most of the examples."""
    dataset: DatasetSource | None = None
    """None = no examples: analysis and improvement only, nothing is measured."""
    items: tuple[DatasetItem, ...] = ()
    """Examples given along instead of a dataset."""
    metric: ScorerName | None = None
    """None = what each item declares."""
    strategy: PromptStrategy = "evolution"
    budget: Budget = Budget(max_calls=1000)
    """Calls bound search and selection, the test comes on top; tokens, money and time bound the whole run."""
    n_generations: int | None = Field(default=None, ge=1)
    population: int = Field(default=12, ge=2, le=256)
    block_size: int = Field(default=10, ge=1)
    """Items of one step of the race."""
    split: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Shares of the items for search, selection and the untouched test."""
    proposers: tuple[str, ...] | None = None
    """Models that may write prompts; None = those of the fleet that prove good enough; empty = none."""
    max_demonstrations: int = Field(default=8, ge=0, le=64)
    use_logprobs: bool = True
    """Climb label log-probabilities where the task and the engine allow it."""
    alpha: float = Field(default=0.05, gt=0, le=0.2)
    """Of the one-sided paired test that promotion must pass."""
    patience: int = Field(default=4, ge=1)
    """Generations in which the best stays the same, after which the search ends."""
    min_gain: float = Field(default=0.001, ge=0, le=1)
    """What 100 more calls must be expected to gain in score; where they are not, the search ends."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    concurrency: int | None = Field(default=None, ge=1, le=1024)
    promote: bool = True
    """Register the winner if it is proven, and let `alias` name it."""
    alias: AliasName = "production"

    @model_validator(mode="after")
    def _has_one_seed(self) -> Self:
        if (self.prompt is None) == (self.program is None):
            raise ValueError("give one of prompt and program")
        if self.dataset is not None and self.items:
            raise ValueError("give one of dataset and items")
        if abs(sum(self.split) - 1.0) > 1e-9 or min(self.split) <= 0:
            raise ValueError(f"split {self.split} must be three shares above 0 that sum to 1")
        return self


class Finding(Contract):
    """One thing that was found in a prompt, with how grave it is."""

    aspect: Literal["clarity", "specificity", "effectiveness"]
    score: float = Field(ge=0, le=1)
    """1 = nothing to find fault with."""
    text: str
    found_by: str
    """`rules`, or a model's id."""


class PromptMessage(Contract):
    """One message of a release; its content is a template."""

    role: Literal["system", "user", "assistant"]
    content: Words
    """Jinja2 (sandboxed, strict) over the caller's variables."""


class PromptRelease(Contract):
    """One of the three messages that change a running system: a prompt as gateways serve it by name."""

    name: str = Field(pattern=PROMPT_NAME)
    version: int = Field(default=0, ge=0)
    """Given by the store when it is kept; 0 = not yet."""
    messages: tuple[PromptMessage, ...] = Field(min_length=1)
    variables: tuple[str, ...] = ()
    """Names that the messages need, sorted."""
    decoding: Decoding | None = None
    """Defaults for fields that the caller does not set; None = the engine's."""
    models: tuple[str, ...] = ()
    """Models that it was proven on; the router may be told to prefer them."""
    content_hash: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of messages, variables and decoding; filled in by the store, checked by whoever serves it."""
    reason: str = Field(min_length=1, max_length=500)
    evidence: str | None = None
    """Id of the optimisation or experiment behind it."""
    test_score: Estimate | None = None
    improvement: Estimate | None = None
    """Over the seed on the untouched test, paired."""
    tags: dict[str, str] = Field(default_factory=dict)
    """What else is known of it, for people and MLflow: data hash, scores, lineage."""
    tracked_as: str | None = None
    """Where MLflow keeps it, such as `prompts:/sense/3`; None = it is tracked nowhere."""
    created_at_s: float = Field(default=0.0, ge=0)


PromptState = Literal["stored", "shadow", "live", "superseded", "rolled_back"]


class PromptCounts(Contract):
    """What requests of a version came to; sums, of those that were answered."""

    n_requests: int = Field(default=0, ge=0)
    """Answered or failed; callers that left are not counted."""
    n_failures: int = Field(default=0, ge=0)
    latency_s: float = Field(default=0.0, ge=0)
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)


class PromptEntry(Contract):
    """A release with what became of it."""

    release: PromptRelease
    aliases: tuple[str, ...] = ()
    """Aliases that name this version now."""
    shadow_of: tuple[str, ...] = ()
    """Aliases beside whose version it is asked now."""
    state: PromptState = "stored"
    applied_at_s: float | None = None
    note: str | None = None
    answers: PromptCounts = PromptCounts()
    """Of requests that it answered."""
    shadows: PromptCounts = PromptCounts()
    """Of requests that it was asked beside, whose answers nobody saw."""


class PromptReference(Contract):
    """`neuroforge.prompt` of a request, or what `model: "prompt:name@alias"` means; not both alias and version."""

    name: str = Field(pattern=PROMPT_NAME)
    alias: str | None = Field(default=None, pattern=PROMPT_NAME)
    """None with neither = `production`."""
    version: int | None = Field(default=None, ge=1)
    variables: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.alias is not None and self.version is not None:
            raise ValueError("give one of alias and version")
        return self


class OptimizePlan(Contract):
    """What a run would take, told before it starts."""

    target_model: str
    n_items: dict[str, int]
    """By split: search, selection, test; empty without examples."""
    is_by_labels: bool
    """Whether the search climbs label log-probabilities."""
    n_calls_max: int | None = Field(ge=0)
    """Of search and selection, as far as the budget goes; they end earlier when no gain is expected. None = nothing
    limits them."""
    n_test_calls: int = Field(ge=0)
    """On top of them."""
    n_beside_calls_max: int = Field(ge=0)
    """For findings, and for what models write and vote before the search; what they write in it comes on top."""
    n_prompt_tokens: int | None = Field(default=None, ge=0)
    """Of all these calls, from the texts' length."""
    n_completion_tokens_max: int | None = Field(default=None, ge=0)
    cost_usd_max: float | None = Field(default=None, ge=0)
    duration_s: float | None = Field(default=None, ge=0)
    """None = the target's speed is not known yet, or nothing limits the calls."""
    notes: tuple[str, ...] = ()


class PromptTemplate(Contract):
    """A prompt that a search over structures found for a kind of task, with what its parts are worth."""

    domain: str
    """Kind of task that it was found for."""
    program: PromptProgram
    text: str
    """The program as plain text."""
    fitness: Estimate
    """That the search expects of its structure on items like its own: no proof, as it chose by these."""
    slots: tuple[SlotWorth, ...]
    """Largest share of the variance first."""
    pairs: tuple[PairWorth, ...]
    """The strongest interactions."""
    n_structures: int = Field(ge=1)
    """Measured in this search."""
    n_earlier: int = Field(ge=0)
    """Rows of earlier tasks of the domain that it began with."""


class OptimizationResult(Contract):
    """What optimising a prompt came to."""

    id: str
    """The same for the same configuration."""
    name: str
    task_kind: str | None = None
    """What answers are: choice, classification, numeric, code or text; None = there were no examples."""
    original: PromptProgram
    optimized: PromptProgram
    """The original itself where nothing better was shown."""
    text: str
    """The optimised prompt as plain text."""
    is_promoted: bool
    sentence: str
    """For people: what was shown, or why nothing was."""
    improvement: Estimate | None = None
    """Optimised less original on the untouched test; None = nothing was measured."""
    p_value: float | None = Field(default=None, ge=0, le=1)
    scores: dict[str, float] = Field(default_factory=dict)
    """original, optimized (on the test), search (of the winner, on the items of the search that it was asked)."""
    search_test_gap: float | None = None
    """Winner's score in the search less on the test: how far the search fooled itself; None = not tested."""
    plan: OptimizePlan
    template: PromptTemplate | None = None
    """Of the winner, where structures were searched."""
    assessments: dict[str, Assessment] = Field(default_factory=dict)
    """original, winner, improvement; without examples original and the gain of each suggestion. Measured, else
    predicted from earlier runs on this machine, else by rules, and called so."""
    findings: tuple[Finding, ...] = ()
    suggestions: tuple[PromptProgram, ...] = ()
    """Improvements that models wrote and agreed on; without examples nobody knows whether they help."""
    contributions: dict[str, float] = Field(default_factory=dict)
    """By operator: fitness that its children gained over their parents in the search, summed."""
    written_by_model: dict[str, int] = Field(default_factory=dict)
    """Instructions of use that each model wrote in the last start of the run."""
    lineage: tuple[PromptCandidate, ...] = ()
    """The winner and its ancestors, the seed last."""
    front: tuple[PromptCandidate, ...] = ()
    """Nobody beats these in fitness, prompt tokens and latency at once."""
    ended_because: str | None = None
    writers: tuple[str, ...] = ()
    """Models that might write prompts."""
    n_candidates: int = Field(default=0, ge=0)
    n_calls: int = Field(default=0, ge=0)
    """Made in all starts of the run, those beside the measured ones too; as the tokens, money and time."""
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    elapsed_s: float = Field(default=0.0, ge=0)
    data_sha256: str | None = None
    """Of the examples, in their order."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of packages and of the target's weights."""
    registered: PromptEntry | None = None
    """What the registry made of it; None = nothing was to be registered, or `warnings` say why it was not."""
    tracked_at: str | None = None
    """Address of the tracker's run."""
    warnings: tuple[str, ...] = ()
