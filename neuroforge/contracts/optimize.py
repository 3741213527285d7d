"""Optimisations of prompts: what is searched (OptimizeConfig), what it takes (OptimizePlan), what it came to."""

from typing import Literal, Self

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget, DatasetSource
from neuroforge.contracts.prompt_worth import Assessment, PairWorth, SlotWorth
from neuroforge.contracts.prompts import PROMPT_NAME, AliasName, PromptCandidate, PromptEntry, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.contracts.scores import ScorerName

PromptStrategy = Literal["evolution", "nas", "nas_evolution"]
"""`evolution` changes one part at a time. `nas` learns first what each part of the structure is worth, then fine-tunes
the best; Optuna's TPE offers structures. `nas_evolution` is the same with regularised evolution offering them."""


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
    block_size: int | None = Field(default=None, ge=1)
    """Items of one step of the race; None = 10, and fewer where `evolution` has less than 1,000 calls."""
    split: tuple[float, float, float] = (0.5, 0.25, 0.25)
    """Shares of the items for search, selection and the untouched test."""
    proposers: tuple[str, ...] | None = None
    """Models that may write prompts; None = those of the fleet that prove good enough; empty = none."""
    max_demonstrations: int = Field(default=8, ge=0, le=64)
    analyse: bool = True
    """Before the search ask models what is wrong with the seed, and let them mend it and vote. False = only rules find
    faults; `proposers` may write in the search all the same."""
    use_logprobs: bool = True
    """Climb label log-probabilities where the task and the engine allow it."""
    alpha: float = Field(default=0.05, gt=0, le=0.2)
    """Chance of promoting a prompt that is no better, over all tests of this prompt on the same items: the first must
    pass its half, the n-th its n (n + 1)-th part."""
    patience: int = Field(default=4, ge=1)
    """Generations in which the best stays the same, after which the search ends; where a generation asks fewer than
    ten items, as many more as ask as many."""
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
    tested: PromptProgram | None = None
    """The winner as the test puts it, proven or not: what chooses the nearest examples may choose those of all splits.
    Where the seed won, the seed. None = nothing was measured."""
    text: str
    """The optimised prompt as plain text."""
    is_promoted: bool
    sentence: str
    """For people: what was shown, or why nothing was."""
    improvement: Estimate | None = None
    """Optimised less original on the untouched test; None = nothing was measured."""
    p_value: float | None = Field(default=None, ge=0, le=1)
    alpha: float | None = Field(default=None, gt=0, lt=1)
    """What the p-value had to reach: this test's share of the configuration's; None = nothing was tested."""
    n_tests: int = Field(default=0, ge=0)
    """Of this prompt on some of these test items, this one included, as the home remembers them."""
    scores: dict[str, float] = Field(default_factory=dict)
    """original, optimized (on the test, where the winner's missing scores count as 0), search (of the winner, on the
    items of the search that it was asked)."""
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
    """By operator: fitness that its children are expected to have gained over their parents, by the search's
    measurements and what it believed before them (docs/decisions/169), summed."""
    written_by_model: dict[str, int] = Field(default_factory=dict)
    """Instructions of use that each model wrote, before and in the search; over all starts of the run."""
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
    labels: tuple[str, ...] = ()
    """That every example's answer is one of, where their probabilities were scored: what is served by name answers with
    the most probable of them. Empty = replies were scored, or examples have labels of their own."""
    data_sha256: str | None = None
    """Of the examples, in their order."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of packages and of the target's weights."""
    registered: PromptEntry | None = None
    """What the registry made of it; None = nothing was to be registered, or `warnings` say why it was not."""
    tracked_at: str | None = None
    """Address of the tracker's run."""
    warnings: tuple[str, ...] = ()

    @property
    def winner(self) -> PromptProgram:
        """As tested; of a result from before that was kept, as the search found it; else the original."""
        return self.tested or (self.lineage[0].program if self.lineage else self.optimized)
