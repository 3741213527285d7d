"""What the learner is told (OutcomeRecord, Feedback), what it answers, and what may be kept of it."""

from typing import Literal

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.live_tests import LiveTestPlan
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.contracts.rules import RoutingRules

RecordLevel = Literal["none", "stats", "embedding", "text"]
"""none: nothing is kept and nothing is learned; stats: numbers only; embedding: also the request's embedding, which is
NOT anonymous (texts can be reconstructed from embeddings in part); text: also prompt and answer."""


ScoreSource = Literal["implicit", "explicit"]
"""implicit: by how the answer ended; explicit: by feedback, which wins."""


class OutcomeRecord(Contract):
    """One decision with how it went, as a gateway replica hands it to the learner."""

    at_s: float
    """Unix time of the answer's end."""
    decision: Decision
    outcome: Outcome
    actor: str = "local"
    """Key id of the caller, who alone (beside operators) may read the decision and give feedback on it."""
    embedding: bytes | None = Field(default=None, repr=False)
    """(256,) float16, little endian, of the request's text; None below level `embedding`."""
    basis: tuple[float, ...] | None = Field(default=None, repr=False)
    """What the online posteriors look at, of router_version's fit; kept with level `stats` and above."""
    base_quality: float | None = Field(default=None, ge=0, le=1)
    """Quality that the fit or the prior expected of the chosen model, before the online correction; beside `basis`."""
    prompt: str | None = Field(default=None, repr=False)
    answer: str | None = Field(default=None, repr=False)
    """Level `text` only."""
    score: float | None = Field(default=None, ge=0, le=1)
    """Filled in by the learner; None = not scored."""
    score_source: ScoreSource | None = None


class Feedback(Contract):
    """POST /v1/feedback. Exactly one of score and preferred_answer."""

    decision_id: str = Field(min_length=1, max_length=64)
    score: float | bool | None = None
    """0..1, or whether it was good."""
    preferred_answer: str | None = Field(default=None, max_length=100_000, repr=False)
    """What the answer should have been: the given one counts as 0 unless it is the same text."""
    comment: str | None = Field(default=None, max_length=10_000, repr=False)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Feedback":
        if (self.score is None) == (self.preferred_answer is None):
            raise ValueError("give one of score and preferred_answer")
        if self.score is not None and not 0 <= float(self.score) <= 1:
            raise ValueError(f"score must lie in 0..1, not {self.score}")
        return self


FeedbackStatus = Literal["accepted", "duplicate", "replaced", "late"]


class FeedbackReceipt(Contract):
    """What became of it.

    duplicate: said before, nothing changed; replaced: the newer score counts instead of the older; late: stored for the
    next fit, but the online posterior has moved on.
    """

    decision_id: str
    status: FeedbackStatus
    score: float = Field(ge=0, le=1)


class LearnerSnapshot(Contract):
    """What a gateway replica decides with. `online` and `fit` are the router's own encodings (safetensors)."""

    version: int = Field(ge=1)
    fit_id: str = ""
    """SHA-256 of the fitted router; `clusters-` and a hash = no fit, but kinds of traffic; empty = neither."""
    fit: bytes | None = Field(default=None, repr=False)
    """The fitted router or the kinds, only when the replica's known_fit is another."""
    online: bytes = Field(repr=False)
    rules: RoutingRules
    live_tests: tuple[LiveTestPlan, ...] = ()
    """Those that run, oldest first: of several that a request fits the first takes it."""
    best_single: str | None = None
    """Where holdout traffic goes: the best model for everything; None = nobody can tell yet, so there is no holdout."""


class LearnerReply(Contract):
    """Answer to a report; None = the replica's version is the newest."""

    snapshot: LearnerSnapshot | None = None


class Uplift(Contract):
    """The router's gain over the best single model, measured on the standing holdout."""

    mean: float
    low: float
    high: float
    """95 % interval."""
    n_router: int = Field(ge=0)
    n_holdout: int = Field(ge=0)
    holdout_model: str


class RouterStatus(Contract):
    """GET /admin/v1/router."""

    version: int = Field(ge=0)
    fit_id: str = ""
    rules_version: int = Field(ge=0)
    record: RecordLevel
    n_outcomes: int = Field(ge=0)
    n_scored: int = Field(ge=0)
    n_dropped: int = Field(ge=0)
    uplift: Uplift | None = None
    uplift_reason: str | None = None
    """Why there is none, for example too few scored outcomes."""
    n_outcomes_by_model: dict[str, float] = Field(default_factory=dict)
    has_clusters: bool = False
    """Whether kinds of requests were found in the traffic to learn by; a fit has its own."""


class DataSummary(Contract):
    """What is kept: `neuroforge data show`."""

    record: RecordLevel
    retention_days: float
    n_outcomes: int = Field(ge=0)
    n_feedback: int = Field(ge=0)
    n_embeddings: int = Field(ge=0)
    n_texts: int = Field(ge=0)
    oldest_s: float | None = None
    newest_s: float | None = None
    n_experiments: int = Field(default=0, ge=0)
    """Experiments with items and replies."""
    n_prompt_runs: int = Field(default=0, ge=0)
    """Optimisations of prompts with replies."""
    n_cached_replies: int = Field(default=0, ge=0)
    """Replies that experiments may use again, at most as old as the retention."""
    bytes_on_disk: int = Field(ge=0)
    places: tuple[str, ...] = ()
    """Every file or table that holds something."""


class ExportRequest(Contract):
    """POST /admin/v1/data/export."""

    path: str = Field(min_length=1, max_length=4096)
    """Absolute, ends in `.parquet`, on the head node."""
    after_seq: int = Field(default=0, ge=0, le=2**63 - 1)
    """Only outcomes after this number."""
    for_fit: bool = False
    """Only what a fit can use: outcomes with a text and a score."""


class ExportReport(Contract):
    """What was written."""

    path: str
    n_rows: int = Field(ge=0)


class PurgeReport(Contract):
    """What was deleted."""

    n_outcomes: int = Field(ge=0)
    n_experiments: int = Field(default=0, ge=0)
    """Experiments whose texts went; their numbers stay."""
    n_prompt_runs: int = Field(default=0, ge=0)
    """As these, of optimisations of prompts."""
    n_cached_replies: int = Field(default=0, ge=0)


class FitUpload(Contract):
    """POST /admin/v1/router/fit: a router directory. Exactly one of files and path."""

    files: dict[str, str] | None = Field(default=None, repr=False)
    """Name to content in base64."""
    path: str | None = Field(default=None, min_length=1, max_length=4096)
    """The directory on the head node, for one that is larger than a request may be."""

    @model_validator(mode="after")
    def _is_one(self) -> "FitUpload":
        if (self.files is None) == (self.path is None):
            raise ValueError("give one of files and path")
        return self
