"""What a request is about (TaskProfile), and a task for one or several models (Task -> TaskResult)."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import Usage
from neuroforge.contracts.models import Capability

TaskType = Literal[
    "code",
    "math",
    "reasoning",
    "knowledge",
    "extraction",
    "classification",
    "summarisation",
    "translation",
    "creative",
    "chat",
]
TASK_TYPES: tuple[TaskType, ...] = get_args(TaskType)


class TaskProfile(Contract):
    """What the router sees in a request."""

    task_type: TaskType
    """The most probable one."""
    probability_by_task: dict[TaskType, float] = Field(default_factory=dict)
    """Sums to 1."""
    complexity: float = Field(ge=0, le=1)
    """0 = a word will do, 1 = long, nested or formal."""
    language: str
    """ISO 639-1 code of the conversation's language, `und` when the text is too short to tell."""
    n_prompt_tokens: int = Field(ge=0)
    n_output_tokens: float = Field(ge=0)
    """Expected length of the answer, before any model's own habits and max_tokens."""
    requirements: frozenset[Capability] = frozenset()


TaskMode = Literal["single", "parallel", "creative", "consensus", "cascade"]
Scorer = Literal["predicted_quality", "json_schema", "logprob", "judge"]
"""How `creative` picks its best candidate; `logprob` is the mean over the answer's tokens."""
Verifier = Literal["agreement", "logprob", "json_schema", "judge"]
"""How `cascade` decides whether an answer stands."""


class Task(Contract):
    """Work for the fleet: POST /v1/tasks, NeuroForgeOrchestrator.execute_task."""

    mode: TaskMode = "single"
    messages: tuple[JsonObject, ...] | None = Field(default=None, min_length=1)
    """One conversation; with `parallel` also the beginning that all prompts share."""
    prompts: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=256)
    """Only with mode `parallel`: one answer for each."""
    model: str = "auto"
    """A model's id, or a policy: auto, auto:best, auto:fast, auto:cheap."""
    models: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=16)
    """Which models may take part in `creative`, `consensus` and `cascade`; None = the router's best."""
    n: int = Field(default=3, ge=1, le=16)
    """Candidates (`creative`), votes (`consensus`) or samples for the verifier (`cascade`)."""
    scorer: Scorer = "predicted_quality"
    verifier: Verifier = "agreement"
    threshold: float = Field(default=0.6, ge=0, le=1)
    """What the verifier must reach for the cheaper answer to stand."""
    stop_early: bool = False
    """`consensus`: cancel votes that can no longer change the winner; `agreement` then counts only those that came."""
    judge: str | None = None
    """Model that judges; needed by the scorer and the verifier `judge`."""
    options: JsonObject = Field(default_factory=dict)
    """OpenAI's fields for every call: temperature, max_tokens, seed, response_format, ..."""
    route: JsonObject = Field(default_factory=dict)
    """As `neuroforge.route` of a chat request."""
    deadline_s: Annotated[float, Field(gt=0, le=86_400)] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "Task":
        if self.mode == "parallel":
            if self.prompts is None:
                raise ValueError("mode 'parallel' needs prompts")
        elif self.messages is None or self.prompts is not None:
            raise ValueError(f"mode {self.mode!r} takes messages, and no prompts")
        judged = {"creative": self.scorer, "cascade": self.verifier}.get(self.mode) == "judge"
        if judged and self.judge is None:
            raise ValueError("the judge's model id is missing: give judge")
        return self


class Member(Contract):
    """One model's part in a task."""

    model_id: str
    """The policy that was asked, when no model answered."""
    decision_id: str | None = None
    """None when it failed or was cancelled."""
    text: str | None = None
    """None when it failed or was cancelled."""
    finish_reason: str | None = None
    error: str | None = None
    latency_s: float = Field(default=0.0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    usage: Usage = Usage()
    score: float | None = None
    """By the scorer or the verifier; None = not scored."""
    predicted_quality: float | None = None


class TaskResult(Contract):
    """What came of a task (ExecutionResult of the owner's design)."""

    task_id: str
    mode: TaskMode
    text: str | None = None
    """The answer; None with `parallel`, whose answers are the members' in the prompts' order."""
    body: JsonObject | None = None
    """The winning answer as OpenAI's chat completion."""
    winner: int | None = None
    """Index in `members`."""
    members: tuple[Member, ...]
    agreement: float | None = Field(default=None, ge=0, le=1)
    """`consensus`: weight of the winning answer among all votes; `cascade`: the verifier's last value."""
    escalations: int = Field(default=0, ge=0)
    usage: Usage = Usage()
    """Of all members together, failed and cancelled ones too."""
    cost_usd: float = Field(default=0.0, ge=0)
    latency_s: float = Field(default=0.0, ge=0)
