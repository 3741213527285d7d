"""Questions with what a right answer is: one DatasetItem a row."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.scores import WITHOUT_REFERENCE, Score, ScorerName

MAX_CHOICES = 26


class CodeTests(Contract):
    """How Python code is tested: preamble, the reply's code, then tests run in one program that must end well."""

    tests: str = Field(min_length=1)
    """Python; fails by raising. It sees everything that the code defines."""
    entry_point: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*$")
    """Function that the code must define; a reply that only continues `preamble` is put after it."""
    preamble: str = ""
    """Imports, helpers or the signature that the question showed."""


class DatasetItem(Contract):
    """One question as it is sent to a model, and what its scorer compares the reply with."""

    id: str = Field(min_length=1)
    """Same content, same id, on every machine."""
    dataset: str
    """Registry name, or the file's name."""
    query: str = Field(min_length=1)
    """The last user message, whole."""
    scorer: ScorerName
    references: tuple[str, ...] = ()
    """Right answers, any of which will do; with `choice` one of `labels`; with `regex` patterns, with `json_schema`
    schemas and with `function_call` lists of calls, as JSON; with `code`, `refusal` and `judge` none is needed."""
    task: str | None = None
    """Kind of task, such as `math`; the router learns from it and never reads it when deciding."""
    group: str | None = None
    """Items of one group share a passage, so their results are not independent."""
    paraphrase_of: str | None = None
    """Id that all items share which ask the same in other words; agreement between them is consistency."""
    split: str | None = None
    """Such as train or test; splits are never mixed."""
    messages: tuple[JsonObject, ...] = Field(default=(), repr=False)
    """OpenAI messages of a conversation that began before; `query` follows them."""
    tools: tuple[JsonObject, ...] = Field(default=(), repr=False)
    """OpenAI tools that the model may call."""
    fields: dict[str, Any] = Field(default_factory=dict, repr=False)
    """For prompt templates: the row's own columns, less what would give the answer away (reference, tests)."""
    labels: tuple[str, ...] = Field(default=(), max_length=MAX_CHOICES)
    """`choice`: what the reply should name, such as A, B, C; or the answers themselves, such as yes, no."""
    choices: tuple[str, ...] = Field(default=(), max_length=MAX_CHOICES)
    """`choice`: the text behind each label, in the same order."""
    unit: str | None = None
    """`numeric`: what is counted or measured; None = a bare number."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """`numeric`: largest absolute difference that still counts; None = equal but for rounding in the last digits."""
    code: CodeTests | None = None
    max_tokens: int = Field(default=256, ge=1)
    """Enough for an answer of this kind."""

    def __hash__(self) -> int:
        """Of what names it, since `fields` and the like cannot be hashed."""
        return hash((self.dataset, self.id))

    @model_validator(mode="after")
    def _can_be_scored(self) -> "DatasetItem":
        if self.scorer == "code":
            if self.code is None:
                raise ValueError("scorer 'code' needs tests")
        elif not self.references and self.scorer not in WITHOUT_REFERENCE:
            raise ValueError(f"scorer {self.scorer!r} needs a reference")
        if self.scorer == "choice":
            if len(self.labels) < 2 or len(self.labels) != len(self.choices):
                raise ValueError("scorer 'choice' needs at least two choices")
            if unknown := [one for one in self.references if one not in self.labels]:
                raise ValueError(f"reference {unknown[0]!r} is none of the labels {', '.join(self.labels)}")
        return self


class Answer(Contract):
    """One cell: what one model replied to one item, and its score. A failed call is kept as such and has no score."""

    cell_id: str
    """Same item, prompt, model, weights and parameters: same id."""
    item_id: str
    dataset: str
    model_id: str
    reply: str | None = Field(default=None, repr=False)
    """None when the call failed."""
    finish_reason: str | None = None
    decision_id: str | None = None
    """The router's decision behind it, by which it can be rated."""
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    latency_s: float | None = Field(default=None, ge=0)
    """From sending the request to the whole answer, without attempts that failed; None when the call failed."""
    score: Score | None = None
    """None when the call failed."""
    error_code: str | None = None
    error: str | None = None
    is_retryable: bool = False
    """Whether the failure may pass: such a cell is asked again by the next run."""
    at_s: float
    """Unix time."""

    @model_validator(mode="after")
    def _is_answer_or_error(self) -> "Answer":
        if (self.reply is None) == (self.error_code is None):
            raise ValueError("an answer has either a reply or an error")
        return self
