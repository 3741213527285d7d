"""A model's name, tags and rules -> what is believed of its quality before any outcome."""

import re
from functools import lru_cache
from math import log10
from typing import NamedTuple, Protocol

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.rules import QualityPrior
from neuroforge.contracts.tasks import TaskType

_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)(m|b)(?![a-z0-9])")
"""Parameters in a name: 135m, 0.5b, 7b, 8x7b (of a mixture all experts)."""
_BENCHMARK = re.compile(r"^(?:quality|benchmark|mmlu)[:=](\d+(?:\.\d+)?)$")
"""A tag that carries a score, of 1 or of 100."""
UNKNOWN_QUALITY, UNKNOWN_STD = 0.45, 0.25
"""Of a model that tells nothing of itself."""
SIZE_STD, BENCHMARK_STD = 0.2, 0.12
_SMALLEST_QUALITY, _QUALITY_PER_DECADE = 0.2, 0.18
"""At 100 million parameters, and what ten times as many add; a line through published means of instruct models."""
_SCORE_STD = 0.45
"""Of one outcome around its expectation: turns a prior's strength in outcomes into a deviation."""


class QualityBelief(NamedTuple):
    """Expected mean score, and how sure that is."""

    mean: float
    std: float


class KnownModels(NamedTuple):
    """Models that a fit knows."""

    model_ids: tuple[str, ...]
    quality: float
    """Their mean on the request."""


class PriorLookup(Protocol):
    """What of RoutingRules matters here."""

    def prior(self, model_id: str, task: TaskType | None) -> QualityPrior | None:
        """The rule for this model and task, or for the model on every task; None = there is none."""
        ...


def prior_quality(endpoint: ModelEndpoint, task_type: TaskType | None, rules: PriorLookup | None) -> QualityBelief:
    """Return what is believed of a model: by rule, else by a benchmark in its tags, else by its size, else a guess."""
    return _by_rule(endpoint, task_type, rules) or _by_itself(endpoint)


def prior_beside(
    endpoint: ModelEndpoint, task_type: TaskType | None, rules: PriorLookup | None, known: KnownModels | None
) -> QualityBelief:
    """As `prior_quality`; but beside models that a fit knows, what a model tells of itself is told of their names too.

    So a question that is hard for them is expected to be hard for it. A rule means what it says.
    """
    if known is None:
        return prior_quality(endpoint, task_type, rules)
    if (ruled := _by_rule(endpoint, task_type, rules)) is not None:
        return ruled
    own = _by_itself(endpoint)
    mean = known.quality + own.mean - _usual(known.model_ids)
    return QualityBelief(min(max(mean, 0.0), 1.0), own.std)


def _by_rule(endpoint: ModelEndpoint, task_type: TaskType | None, rules: PriorLookup | None) -> QualityBelief | None:
    rule = None if rules is None else rules.prior(endpoint.model_id, task_type)
    return None if rule is None else QualityBelief(rule.quality, _SCORE_STD / (1.0 + rule.strength) ** 0.5)


def _by_itself(endpoint: ModelEndpoint) -> QualityBelief:
    if (score := benchmark_score(endpoint.tags)) is not None:
        return QualityBelief(score, BENCHMARK_STD)
    return _by_size(endpoint.model_id, endpoint.served_name, *endpoint.tags)


def _by_size(*names: str) -> QualityBelief:
    if (size := parameter_count(*names)) is not None:
        quality = _SMALLEST_QUALITY + _QUALITY_PER_DECADE * log10(max(size, 1e7) / 1e8)
        return QualityBelief(min(max(quality, 0.05), 0.85), SIZE_STD)
    return QualityBelief(UNKNOWN_QUALITY, UNKNOWN_STD)


@lru_cache(maxsize=16)
def _usual(model_ids: tuple[str, ...]) -> float:
    """What the known models' names alone would lead to, on average."""
    return sum(_by_size(model_id).mean for model_id in model_ids) / len(model_ids)


def parameter_count(*names: str) -> float | None:
    """Return the parameters that the first name with a size tells: `qwen2.5-0.5b` 5e8, `8x7b` 5.6e10; None = none."""
    for name in names:
        if found := _SIZE.search(name.lower()):
            experts, count, unit = found.groups()
            return float(count) * (1e6 if unit == "m" else 1e9) * int(experts or 1)
    return None


def benchmark_score(tags: tuple[str, ...]) -> float | None:
    """Return 0..1 of the first tag `quality:0.62`, `benchmark:62`, `mmlu:62`; None = none tells, or it is over 100."""
    for tag in tags:
        if found := _BENCHMARK.match(tag.lower()):
            score = float(found.group(1))
            score = score / 100 if score > 1 else score
            if score <= 1:
                return score
    return None
