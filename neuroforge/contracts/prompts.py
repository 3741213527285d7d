"""Prompts as programs (PromptProgram), on trial (PromptCandidate, Evaluation), and as served (PromptRelease)."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.chat import MOST_LABELS
from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.rules import Estimate

PROMPT_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_READS_AS_VERSION = re.compile(r"latest|v?[0-9]+")
Delimiter = Literal["blank", "markdown", "xml", "hash"]
"""How sections are kept apart: an empty line, `## Title`, `<title>...</title>`, or `### Title`."""
DemonstrationStyle = Literal["turns", "text"]
"""Demonstrations as earlier turns of the conversation, or inside the prompt's text."""
Placement = Literal["system", "user"]
"""Where the sections before the question stand."""
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
    group: str | None = None
    """Of that item: nobody's fresh questions share a passage with the examples, so in the search they do not either."""
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
    n_nearest: int | None = Field(default=None, ge=1, le=64)
    """So many of the demonstrations are shown, those nearest to the question, most similar last; None = all, as they
    stand."""
    output_format: Words | None = None
    answer_cue: Words | None = None
    """Last words of the prompt, such as `Answer:`."""
    input_template: Words = "{{ query }}"
    """Jinja2 (sandboxed, strict) over the item's variables: the question inside the last user message."""
    style: PromptStyle = PromptStyle()
    chat_template: bool = True
    """False = the model continues the messages' text as it stands, without its own template around them."""
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
    """What the search climbs, 0..1: mean of score and the right label's probability if that is told, else the score."""
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


def words_of(verbalizer: Mapping[str, str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return a prompt's words for the labels."""
    return tuple(verbalizer.get(label, label) for label in labels)


class PromptMessage(Contract):
    """One message of a release; its content is a template."""

    role: Literal["system", "user", "assistant"]
    content: Words
    """Jinja2 (sandboxed, strict) over the caller's variables, and over what NearestExamples adds to them."""
    is_per_example: bool = False
    """Repeated for each example that is shown; successive ones together."""


class NearestExamples(Contract):
    """Examples of which a release shows those nearest to the question.

    Its messages may name `examples`: those that are shown, most similar last; one `is_per_example` names `example`.
    Each has `question`, `answer`, `reasoning`, and says whether it `is_first`.
    """

    question: Words
    """Jinja2 over the caller's variables: what the examples' questions are compared with."""
    n_shown: int = Field(ge=1, le=64)
    pool: tuple[Demonstration, ...] = Field(min_length=1)
    """As they are shown; of equally near ones the earlier count as nearer."""


class PromptRelease(Contract):
    """One of the three messages that change a running system: a prompt as gateways serve it by name."""

    name: str = Field(pattern=PROMPT_NAME)
    version: int = Field(default=0, ge=0)
    """Given by the store when it is kept; 0 = not yet."""
    messages: tuple[PromptMessage, ...] = Field(min_length=1)
    nearest: NearestExamples | None = None
    """None = all examples stand in the messages."""
    verbalizer: dict[str, Words] = Field(default_factory=dict)
    """Label -> word: where the whole answer is a word, callers get the label."""
    labels: tuple[Words, ...] = Field(default=(), max_length=MOST_LABELS)
    """The answer is the most probable of these, in the verbalizer's words; empty = the model writes an answer."""
    variables: tuple[str, ...] = ()
    """Names that the messages need of the caller, sorted."""
    decoding: Decoding | None = None
    """Defaults for fields that the caller does not set; None = the engine's. Labels are scored without any."""
    models: tuple[str, ...] = ()
    """Models that it was proven on; the router may be told to prefer them."""
    content_hash: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of messages, examples, labels and words for them, variables and decoding; filled in by the store, checked
    by whoever serves it."""
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

    @model_validator(mode="after")
    def _has_examples(self) -> Self:
        if self.nearest is None and any(one.is_per_example for one in self.messages):
            raise ValueError("a message is_per_example, but there are no examples: give `nearest`")
        return self

    @model_validator(mode="after")
    def _can_choose(self) -> Self:
        words = self.label_words
        if len(words) == 1 or len(set(words)) < len(words):
            raise ValueError("labels are two or more, all of different words")
        return self

    @property
    def label_words(self) -> tuple[str, ...]:
        """What is scored for each label."""
        return words_of(self.verbalizer, self.labels)


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
