"""`model_b >= model_a - 0.02` -> Gate -> GateResult: is one variant at most so much worse than another?"""

import re
from collections.abc import Sequence

import numpy as np

from neuroforge.contracts.analysis import GateResult, JudgeReport
from neuroforge.contracts.experiments import Gate, Variant
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import RequestError
from neuroforge.experiments.analysis.draws import make_rng
from neuroforge.experiments.analysis.metrics import UNIT, Metric
from neuroforge.experiments.analysis.words import say_difference
from neuroforge.experiments.variants import find_variant
from neuroforge.statistics.paired import non_inferiority

_MARGIN = re.compile(r"^(?P<name>.+?)\s+-\s*(?P<margin>\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)$")
_UNTESTED = Estimate(mean=0.0, low=-1.0, high=1.0, n=0)
"""Anything is possible."""


def parse_gate(text: str) -> Gate:
    """Return the gate that `VARIANT >= VARIANT`, or `VARIANT >= VARIANT - MARGIN`, describes.

    2 % and 0.02 are the same.

    A minus is read as such only between spaces: model ids have dashes.
    Raises:
        RequestError: Anything else, a margin above 1, or a variant compared with itself.
    """
    better, sign, rest = (part.strip() for part in text.partition(">="))
    if not (better and sign and rest) or "<" in text or "=" in rest:
        raise RequestError(f"gate {text!r}: write it as `model_b >= model_a - 0.02`", param="gates")
    match = _MARGIN.match(rest)
    reference, margin = (rest, 0.0) if match is None else (match["name"], float(match["margin"]))
    if match is not None and match["percent"]:
        margin /= 100
    if not 0 <= margin <= 1:
        raise RequestError(f"gate {text!r}: the margin {margin:g} is not between 0 and 1", param="gates")
    if better == reference:
        raise RequestError(f"gate {text!r} compares {better!r} with itself", param="gates")
    return Gate(better=better, reference=reference, margin=margin)


def check_gate(
    gate: Gate, quality: Metric, variants: Sequence[Variant], seed: int, judge: JudgeReport | None = None
) -> GateResult:
    """Test the gate for non-inferiority of quality, one-sided at 2.5 %, on the items that both answered.

    A gate that cannot be tested, or rests on a judge that cannot be trusted, does not hold.
    Raises:
        RequestError: It names a variant that does not exist, or several.
    """
    better, reference = (find_variant(name, variants) for name in (gate.better, gate.reference))
    if better.id == reference.id:
        raise RequestError(f"the gate compares {better.id!r} with itself", param="gates")
    columns = [one.id for one in variants]
    a, b = columns.index(better.id), columns.index(reference.id)
    rows = ~np.isnan(quality.values[:, a]) & ~np.isnan(quality.values[:, b])
    problem = None
    if judge is not None and not judge.is_trusted:
        problem = f"the judge cannot be trusted: {judge.note}"
    elif len(np.unique(quality.clusters[rows])) < 2:
        problem = f"{int(rows.sum())} items have a score of both, and two independent ones are needed"
    if problem is not None:
        sentence = f"{_say(gate)} cannot be tested: {problem}"
        return GateResult(gate=gate, holds=False, difference=_UNTESTED, p_value=1.0, sentence=sentence)
    found = non_inferiority(
        quality.values[rows, a],
        quality.values[rows, b],
        gate.margin,
        quality.clusters[rows],
        UNIT,
        rng=make_rng(seed, "gate", better.id, reference.id),
    )
    verb = "holds" if found.holds else "does not hold"
    sentence = (
        f"{_say(gate)} {verb}: the difference is {100 * found.difference.mean:+.1f} points, 95 % interval "
        f"{say_difference('quality', found.difference)} at n={found.difference.n:,} "
        f"(non-inferiority by {found.test}, one-sided p={found.p_value:.3g}, needed 0.025)"
    )
    return GateResult(
        gate=gate,
        holds=found.holds,
        difference=found.difference.estimate(),
        p_value=found.p_value,
        sentence=sentence,
    )


def _say(gate: Gate) -> str:
    return f"`{gate.better} >= {gate.reference}{f' - {gate.margin:g}' if gate.margin else ''}`"
