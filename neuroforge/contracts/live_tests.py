"""Live tests: models or prompts compared on gateway traffic, with statistics that may be looked at at any time."""

from typing import Literal, Self

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.rules import Estimate

LIVE_TEST_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LiveTestMode = Literal["ab", "adaptive", "shadow"]
"""ab: fixed shares; adaptive: shares follow track-and-stop towards the best arm; shadow: the first arm answers as
usual, the second is asked beside it and its answers go to nobody."""
LiveTestMetric = Literal["score", "success", "speed"]
"""score: feedback alone (failures are told beside it); success: whether an answer came; speed: 1 - latency / `slow_s`,
at least 0, and 0 for a failure."""
Stickiness = Literal["session", "user", "request"]
"""What stays with its arm. session: `neuroforge.route.session` (without one the request by itself); user: OpenAI's
`user` of the caller's key; request: nothing."""
LiveTestState = Literal["running", "decided", "stopped"]
"""decided: the data named a winner, or `max_units` passed without one; stopped: by an operator."""


class LiveTestArm(Contract):
    """One of the ways to answer that are compared."""

    name: str = Field(pattern=LIVE_TEST_NAME)
    model_id: str
    system: str | None = Field(default=None, min_length=1, max_length=20_000)
    """Put before the conversation as its system message, instead of one that is there."""


class LiveTestSpec(Contract):
    """POST /admin/v1/live-tests."""

    name: str = Field(pattern=LIVE_TEST_NAME)
    target: str = Field(min_length=1, max_length=200)
    """What callers put into `model` of the requests that take part: a model's id, or `auto`, `auto:cheap`, ..."""
    arms: tuple[LiveTestArm, ...] = Field(min_length=2, max_length=8)
    """The first is the control, with which the others are compared."""
    mode: LiveTestMode = "ab"
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the target's requests (by session or user, if sticky) take part; the others are answered as usual."""
    sticky: Stickiness = "session"
    metric: LiveTestMetric = "score"
    slow_s: float = Field(default=60.0, gt=0)
    """Of metric `speed`: latency that counts as 0."""
    alpha: float = Field(default=0.05, gt=0, le=0.2)
    """Chance of naming a wrong winner, over the whole test and however often one looks."""
    max_units: int | None = Field(default=None, ge=2)
    """The test ends without a winner after so many observed units; None = never by itself."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [arm.name for arm in self.arms]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two arms are called {double!r}")
        ways = [(arm.model_id, arm.system) for arm in self.arms]
        if double_way := next((way for way in ways if ways.count(way) > 1), None):
            raise ValueError(f"two arms are the same: model {double_way[0]!r} with the same system message")
        if self.mode == "shadow" and len(self.arms) > 2:
            raise ValueError(f"a shadow test asks one arm beside the control, not {len(self.arms) - 1}")
        if self.mode == "shadow" and self.metric == "score":
            raise ValueError("shadow answers are seen by nobody, so nobody scores them: use metric success or speed")
        return self


class LiveTestTag(Contract):
    """On a decision: it belongs to this arm of this test."""

    test: str
    arm: str
    unit: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Hash of test and session, user or request: observations of one unit are not independent."""
    model_id: str
    system: str | None = Field(default=None, exclude=True, repr=False)
    """As LiveTestArm.system; travels in the process only, and is never stored with the decision."""


class LiveTestPlan(Contract):
    """What a gateway replica needs to assign requests."""

    spec: LiveTestSpec
    weights: tuple[float, ...]
    """Share of each arm, in order; they sum to 1."""


class LiveTestArmStatus(Contract):
    """How one arm does."""

    arm: LiveTestArm
    weight: float = Field(ge=0, le=1)
    """Share of the units that take part."""
    n_requests: int = Field(ge=0)
    n_failures: int = Field(ge=0)
    n_units: int = Field(ge=0)
    """Observed: each unit's first observation counts, so that they are independent."""
    estimate: Estimate | None = None
    """Mean of the metric over units with a confidence interval that holds at any time; None before the first."""


class LiveTestStatus(Contract):
    """A live test and what it says so far."""

    spec: LiveTestSpec
    state: LiveTestState
    created_at_s: float
    ended_at_s: float | None = None
    arms: tuple[LiveTestArmStatus, ...]
    winner: str | None = None
    """Arm that is better than every other, at `alpha`; None = the data does not say."""
    differences: dict[str, Estimate] = Field(default_factory=dict)
    """By arm: its mean less the control's, with an interval that holds at any time."""
    sentence: str
    """For people."""
