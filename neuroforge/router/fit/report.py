"""What an evaluation says, as contracts, and as lines for a terminal."""

from collections.abc import Iterator

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.router.fit.curve import CurvePoint
from neuroforge.router.fit.intervals import Calibration, Estimate


class BestSingle(Estimate):
    """The model with the best mean in the training file, on the test file."""

    model: str


class Nearest(Estimate):
    """k nearest neighbours by embedding; k chosen in the training file."""

    k: int


class Curve(Contract):
    """What the router scores when less is spent."""

    unit: str
    points: tuple[CurvePoint, ...]
    """From cheap to dear: (mean cost, mean score)."""
    singles: dict[str, tuple[float, float]]
    """Mean cost and score of each model alone."""
    aiq: float
    """Mean score over the costs from the cheapest to the dearest model."""
    best_single_cost: float
    cost_at_parity: float | None
    """Least cost at which the router scores as much as the best single model; None = never."""
    parity_share: float | None
    """The same as a share of the best single model's cost."""


class TwoModels(Contract):
    """RouteLLM's metrics (arXiv:2406.18665); shares, 0..1."""

    weak: str
    strong: str
    apgr: float
    cpt50: float
    cpt80: float


class DecisionTime(Contract):
    """From a question's text to the chosen model, in one process."""

    p50_s: float
    p99_s: float
    n: int


class Evaluation(Contract):
    """A router fitted on one file and tested on another; scores are means over the test questions."""

    n_train: int
    n_test: int
    n_test_seen_in_train: int
    """Test questions that occur word for word in the training file: they flatter every router."""
    left_out_models: tuple[str, ...] = Field(description="Models that only one of the files has.")
    random: Estimate
    singles: dict[str, Estimate]
    best_single: BestSingle
    knn: Nearest
    router: Estimate
    oracle: Estimate
    router_minus_best_single: Estimate
    router_minus_knn: Estimate
    curve: Curve | None
    """None = the files tell no costs."""
    two_models: TwoModels | None
    calibration: Calibration
    decision: DecisionTime
    fit_s: float


def describe(evaluation: Evaluation) -> Iterator[str]:
    """Yield the evaluation as lines of text."""
    yield f"{evaluation.n_train} training questions, {evaluation.n_test} test questions"
    if evaluation.n_test_seen_in_train:
        yield f"warning: {evaluation.n_test_seen_in_train} test questions occur word for word in the training file"
    if evaluation.left_out_models:
        yield f"left out, in one of the files only: {', '.join(evaluation.left_out_models)}"
    yield f"{'mean score':<40}{'mean':>8}{'95 % interval':>20}"
    rows = [("random", evaluation.random), *evaluation.singles.items()]
    rows += [
        (f"best single on train ({evaluation.best_single.model})", evaluation.best_single),
        (f"kNN (k = {evaluation.knn.k})", evaluation.knn),
        ("router", evaluation.router),
        ("oracle", evaluation.oracle),
        ("router - best single", evaluation.router_minus_best_single),
        ("router - kNN", evaluation.router_minus_knn),
    ]
    for name, value in rows:
        yield f"{name:<40}{value.mean:>8.4f}{value.low:>11.4f} .. {value.high:.4f}"
    yield from _describe_costs(evaluation)
    calibration, decision = evaluation.calibration, evaluation.decision
    yield (
        f"calibration: ECE {calibration.ece:.4f}; 90 % intervals of one answer's score cover "
        f"{calibration.coverage:.1%}, mean width {calibration.interval_width:.2f}"
    )
    yield f"decision: p50 {decision.p50_s * 1e3:.2f} ms, p99 {decision.p99_s * 1e3:.2f} ms"
    yield f"fit: {evaluation.fit_s:.1f} s"


def _describe_costs(evaluation: Evaluation) -> Iterator[str]:
    curve, two = evaluation.curve, evaluation.two_models
    if curve is None:
        yield "cost-quality curve: the files tell no costs"
    else:
        yield f"AIQ {curve.aiq:.4f} (mean score over the costs from the cheapest model to the dearest)"
        share = "" if curve.parity_share is None else f" = {curve.parity_share:.3f} of its cost"
        parity = "never" if curve.cost_at_parity is None else f"{curve.cost_at_parity:.6g} ({curve.unit}){share}"
        yield f"cost at parity with the best single model: {parity}"
    if two is not None:
        yield f"{two.weak} / {two.strong}: APGR {two.apgr:.4f}, CPT50 {two.cpt50:.1%}, CPT80 {two.cpt80:.1%}"
