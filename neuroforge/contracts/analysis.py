"""What an experiment's numbers say: summaries, comparisons and a verdict. No result without an interval."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import (
    CostEstimate,
    ExperimentConfig,
    Gate,
    Progress,
    Variant,
)
from neuroforge.contracts.rules import Estimate, Insight

Verdict = Literal["a_better", "b_better", "no_difference_shown"]
CELL_COLUMNS = (
    "cell_id", "item_id", "dataset", "task", "group", "paraphrase_of", "variant_id", "model_id", "prompt", "decoding",
    "repeat", "scorer", "score", "score_reason", "answer", "reply", "finish_reason", "n_prompt_tokens",
    "n_completion_tokens", "ttft_s", "latency_s", "cost_usd", "error_code", "error", "is_cached", "at_s",
)  # fmt: skip
"""Columns of cells.parquet, one row a cell. `score` is null where nothing was scored, and `score_reason` says why."""


class MetricSummary(Contract):
    """One variant's mean on one metric."""

    variant_id: str
    metric: str
    """quality, consistency, ttft_s, latency_s, tokens_per_s, cost_usd."""
    dataset: str | None = None
    task: str | None = None
    """Both None = over everything."""
    estimate: Estimate | None
    """None = nothing was measured; `n_scored` is 0 then."""
    method: str
    """How the interval was made, such as `wilson`, `beta-binomial`, `cluster bootstrap BCa`."""
    n_scored: int = Field(ge=0)
    n_unscored: int = Field(default=0, ge=0)
    n_errors: int = Field(default=0, ge=0)
    n_clusters: int | None = Field(default=None, ge=0)
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    rank_low: int | None = Field(default=None, ge=1)
    """95 % interval of its rank among the variants; 1 = best."""
    rank_high: int | None = Field(default=None, ge=1)


class Comparison(Contract):
    """Variant a less variant b on the items that both answered, paired."""

    a: str
    b: str
    metric: str
    dataset: str | None = None
    task: str | None = None
    difference: Estimate
    """a - b; n = items."""
    interval_method: str
    test: str
    p_value: float = Field(ge=0, le=1)
    p_adjusted: float = Field(ge=0, le=1)
    family: Literal["planned", "exploratory"]
    correction: str
    """holm or benjamini-hochberg, and over how many."""
    n_wins: int = Field(ge=0)
    """Items on which a is better."""
    n_losses: int = Field(ge=0)
    n_ties: int = Field(ge=0)
    effect_size: float | None = None
    """Cohen's d of the paired differences, or the odds ratio of discordant pairs for binary scores."""
    minimum_detectable: float | None = Field(default=None, ge=0)
    """Difference that this n would show with power .8 at two-sided 5 %."""
    n_needed: int | None = Field(default=None, ge=1)
    """Items at which a difference like the one seen would be shown with power .8; None where it is 0 or shown."""
    verdict: Verdict
    sentence: str
    """For people, such as `no difference shown at n=100; would need about 1,240`."""


class GateResult(Contract):
    """What became of one gate."""

    gate: Gate
    holds: bool
    difference: Estimate
    p_value: float = Field(ge=0, le=1)
    sentence: str


class JudgeReport(Contract):
    """How far the judge can be trusted."""

    judge_model: str
    n_judged: int = Field(ge=0)
    n_unparsed: int = Field(default=0, ge=0)
    flip_rate: Estimate | None = None
    """Pairwise: share of pairs whose verdict turned with the order."""
    kappa: Estimate | None = None
    """Agreement with human labels; None without labels."""
    is_trusted: bool
    """False when kappa is below .4: then no winner is named from its grades."""
    note: str
    n_open: int = Field(default=0, ge=0)
    """Replies that wait for its word: a call failed, the budget ended, or it was not asked."""
    n_calls: int = Field(default=0, ge=0)
    """In this run, attempts that failed included; 0 = it was not asked."""
    n_tokens: int = Field(default=0, ge=0)
    """What these calls took."""
    cost_usd: float = Field(default=0.0, ge=0)


class Analysis(Contract):
    """Everything that the report says in numbers."""

    experiment_id: str
    name: str
    created_at_s: float
    config: ExperimentConfig
    variants: tuple[Variant, ...]
    n_items: int = Field(ge=0)
    summaries: tuple[MetricSummary, ...]
    comparisons: tuple[Comparison, ...]
    across_tasks: str | None = None
    """Friedman and Nemenyi over datasets, in a sentence; None with fewer than three variants or two datasets."""
    winner: str | None = None
    """Variant id; None when the data does not say."""
    summary: tuple[str, ...]
    """In words, most important first."""
    pareto: tuple[str, ...] = ()
    """Variants that no other beats on quality, latency and cost at once."""
    insights: tuple[Insight, ...] = ()
    gates: tuple[GateResult, ...] = ()
    judge: JudgeReport | None = None
    failures: dict[str, dict[str, int]] = Field(default_factory=dict)
    """By variant: errors by code, and answers that were not scored by reason."""
    progress: Progress | None = None
    estimate: CostEstimate | None = None
    provenance: dict[str, str] = Field(default_factory=dict)
    """Versions, seeds, model digests, dataset hashes: what a rerun needs."""
    notes: tuple[str, ...] = ()
    """Warnings: a budget ended the run, a model was down, a judge of the contestants' family."""


class BenchmarkScore(Contract):
    """What one variant reached on one dataset of a named suite."""

    suite: str
    dataset: str
    variant_id: str
    estimate: Estimate | None
    """None = nothing was scored."""
    n_scored: int = Field(ge=0)
    n_errors: int = Field(default=0, ge=0)
    protocol: str
    """How it was asked and scored, and how that differs from the published benchmark."""


class ExperimentReport(Contract):
    """Where a finished experiment can be read."""

    experiment_id: str
    html_path: str
    markdown_path: str
    analysis_path: str
    """analysis.json: the Analysis."""
    summary: tuple[str, ...]


class ExperimentComparison(Contract):
    """Two experiments on the items that both asked: what changed."""

    a: str
    b: str
    """Ids of the experiments."""
    n_common_items: int = Field(ge=0)
    comparisons: tuple[Comparison, ...]
    """Of each variant that both have, first a then b, so a difference above 0 says that a is better."""
    summary: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What differs besides: weights, dataset versions, prompts."""
