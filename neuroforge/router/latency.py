"""Outcome -> what a request to each model would take now: moving averages, and the live queue in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Outcome
from neuroforge.router.pace import ALPHA, Rate, WholeAnswers
from neuroforge.router.speed_prior import fill_unknown, size_of

TRUST_HALF_LIFE_S = 600.0
"""A model that was slow is tried again: after this long without an answer, half of what we knew of it is forgotten."""
FAILURE_HALF_LIFE_S = 30.0
MAX_FAILURE_RATE = 0.9
PRIOR_TTFT_S = 0.5
PRIOR_S_PER_TOKEN = 0.05
PRIOR_N_TOKENS = 128.0
PRIOR_S_PER_PROMPT_TOKEN = 0.001
_UNREAD = -1.0


@dataclass
class Average:
    """Exponential moving average that starts as a plain mean."""

    value: float | None = None
    n: int = 0

    def add(self, observation: float) -> None:
        """Take one observation in."""
        self.n += 1
        weight = max(ALPHA, 1.0 / self.n)
        self.value = observation if self.value is None else self.value + weight * (observation - self.value)


class Speed(NamedTuple):
    """What to expect of one model now."""

    ttft_s: float
    s_per_token: float
    factor: float
    """By which the live queue and recent failures stretch a request."""
    s_per_prompt_token: float
    """Of reading a prompt anew."""

    def latency_s(self, n_tokens: float) -> float:
        """Seconds of an answer of that length."""
        return (self.ttft_s + self.s_per_token * n_tokens) * self.factor


@dataclass
class ModelLoad:
    """What this replica knows of one model."""

    ttft_s: Average = field(default_factory=Average)
    s_per_token: Rate = field(default_factory=Rate)
    whole: WholeAnswers = field(default_factory=WholeAnswers)
    """Those whose first token was not seen, as long as none was."""
    n_tokens: Average = field(default_factory=Average)
    n_prompt_tokens: Average = field(default_factory=Average)
    """Of the requests behind ttft_s."""
    taught_at_s: float | None = None
    failure_rate: float = 0.0
    failed_at_s: float = 0.0
    n_in_flight: int = 0
    n_peak: int = 0
    """Most in flight since the last EngineStats."""
    n_elsewhere: int = 0
    """Requests of other gateway replicas, as far as the engine's own numbers exceed ours."""
    stats: EngineStats | None = None
    size: float | None = _UNREAD
    """Parameters, as the model's names tell."""


class LatencyEstimator:
    """Expected seconds of a request, by model. All O(1): it runs on every request."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is monotonic."""
        self._clock = clock
        self._loads: dict[str, ModelLoad] = {}

    def started(self, model_id: str) -> None:
        """One more request in front of this model."""
        load = self._load(model_id)
        load.n_in_flight += 1
        load.n_peak = max(load.n_peak, load.n_in_flight)

    def finished(self, model_id: str) -> None:
        """One less."""
        load = self._load(model_id)
        load.n_in_flight = max(0, load.n_in_flight - 1)

    def n_in_flight(self, model_id: str) -> int:
        """Requests of this replica that are on their way."""
        load = self._loads.get(model_id)
        return 0 if load is None else load.n_in_flight

    def learn(self, outcome: Outcome) -> None:
        """Take an outcome into the averages. Refusals (4xx) and cancelled requests say nothing of speed."""
        load = self._load(outcome.model_id)
        now_s = self._clock()
        if outcome.status == 429 or outcome.status >= 500:
            load.failure_rate = self._failure_rate(load, now_s) * (1 - ALPHA) + ALPHA
            load.failed_at_s = now_s
            return
        if outcome.status >= 300:
            return
        load.failure_rate = self._failure_rate(load, now_s) * (1 - ALPHA)
        load.failed_at_s = load.taught_at_s = now_s
        _learn_speed(load, outcome)

    def expected_latencies_s(self, endpoints: list[ModelEndpoint], max_tokens: int | None) -> list[float]:
        """Return expected seconds for each model, in order.

        A model without any observation counts as the fastest known one, so that each is tried; one without news for
        long drifts there.
        """
        now_s = self._clock()
        loads = [self._observed(endpoint) for endpoint in endpoints]
        known = [_service_s(load, max_tokens) for load in loads]
        measured = [value for value in known if value is not None]
        best_s = min(measured) if measured else PRIOR_TTFT_S + PRIOR_S_PER_TOKEN * _n_tokens(None, max_tokens)
        result = []
        for endpoint, load, service_s in zip(endpoints, loads, known, strict=True):
            trust = _trust(load, now_s)
            value = best_s if service_s is None else trust * service_s + (1 - trust) * best_s
            result.append(value * self._factor(endpoint, load, now_s))
        return result

    def expected_speeds(self, endpoints: Sequence[ModelEndpoint]) -> list[Speed]:
        """Return each model's speed, in order.

        What was never seen is guessed from the others' and the models' sizes; what was seen long ago drifts to the
        fastest known, so that it is tried again.
        """
        now_s = self._clock()
        loads = [self._observed(endpoint) for endpoint in endpoints]
        measured = [_measured(load) for load in loads]
        ttfts, rates = [one[0] for one in measured], [one[1] for one in measured]
        sizes = [self._size(endpoint, load) for endpoint, load in zip(endpoints, loads, strict=True)]
        full_ttfts, full_rates = fill_unknown(ttfts, sizes, PRIOR_TTFT_S), fill_unknown(rates, sizes, PRIOR_S_PER_TOKEN)
        best_ttft_s, best_rate = min(full_ttfts), min(full_rates)
        speeds = []
        for endpoint, load, ttft_s, rate in zip(endpoints, loads, full_ttfts, full_rates, strict=True):
            trust = _trust(load, now_s)
            speeds.append(
                Speed(
                    trust * ttft_s + (1 - trust) * best_ttft_s,
                    trust * rate + (1 - trust) * best_rate,
                    self._factor(endpoint, load, now_s),
                    _s_per_prompt_token(load),
                )
            )
        return speeds

    def _size(self, endpoint: ModelEndpoint, load: ModelLoad) -> float | None:
        if load.size is _UNREAD:
            load.size = size_of(endpoint)
        return load.size

    def _factor(self, endpoint: ModelEndpoint, load: ModelLoad, now_s: float) -> float:
        tries = 1.0 / (1.0 - min(MAX_FAILURE_RATE, self._failure_rate(load, now_s)))
        return tries * _queue_factor(load, endpoint.parallel)

    def _load(self, model_id: str) -> ModelLoad:
        load = self._loads.get(model_id)
        if load is None:
            load = self._loads[model_id] = ModelLoad()
        return load

    def _observed(self, endpoint: ModelEndpoint) -> ModelLoad:
        """Take the engine's own numbers in when they are new; our peak in their period is what of them is ours.

        A snapshot is renewed more often than they are: an equal copy is no news. (Identity first: it is cheap.)
        """
        load = self._load(endpoint.model_id)
        stats = endpoint.stats
        if stats is not load.stats and stats != load.stats:
            load.stats = stats
            busy = 0 if stats is None else stats.slots_busy + stats.queued
            load.n_elsewhere = max(0, busy - load.n_peak)
            load.n_peak = load.n_in_flight
        return load

    def _failure_rate(self, load: ModelLoad, now_s: float) -> float:
        if load.failure_rate == 0.0:
            return 0.0
        return float(load.failure_rate * 0.5 ** ((now_s - load.failed_at_s) / FAILURE_HALF_LIFE_S))


def _learn_speed(load: ModelLoad, outcome: Outcome) -> None:
    """A whole answer (not streamed) tells its total: the known first token is taken off, or both are worked out."""
    n_tokens = outcome.n_completion_tokens
    load.n_tokens.add(n_tokens)
    ttft_s = outcome.ttft_s
    if ttft_s is not None or n_tokens == 0:
        load.ttft_s.add(outcome.latency_s if ttft_s is None else ttft_s)
        load.n_prompt_tokens.add(outcome.n_prompt_tokens)
    start_s = load.ttft_s.value if ttft_s is None else ttft_s
    if start_s is None:
        load.whole.add(outcome.n_prompt_tokens, n_tokens, outcome.latency_s)
    elif n_tokens > 0:
        load.s_per_token.add(max(0.0, outcome.latency_s - start_s), n_tokens)


def _service_s(load: ModelLoad, max_tokens: int | None) -> float | None:
    """Seconds of a request that need not wait; None = nothing was observed."""
    ttft_s, s_per_token = _measured(load)
    if ttft_s is None and s_per_token is None:
        return None
    n_tokens = _n_tokens(load.n_tokens.value, max_tokens)
    return (ttft_s or 0.0) + (s_per_token or 0.0) * n_tokens


def _measured(load: ModelLoad) -> tuple[float | None, float | None]:
    """Return seconds to the first token and for each one, by our own answers, else as the engine tells."""
    ttft_s, s_per_token = load.ttft_s.value, load.s_per_token.value
    if (solved := load.whole.solve()) is not None:
        ttft_s = solved[0] * load.whole.read if ttft_s is None else ttft_s
        s_per_token = solved[1] if s_per_token is None else s_per_token
    stats = load.stats
    if stats is None:
        return ttft_s, s_per_token
    return stats.ttft_s if ttft_s is None else ttft_s, stats.s_per_token if s_per_token is None else s_per_token


def _s_per_prompt_token(load: ModelLoad) -> float:
    """The first token comes after the whole prompt was read; its own share is small beside that."""
    ttft_s, n_tokens = load.ttft_s.value, load.n_prompt_tokens.value
    if ttft_s is None and load.whole.read > 0 and (solved := load.whole.solve()) is not None:
        return solved[0]
    return ttft_s / n_tokens if ttft_s is not None and n_tokens else PRIOR_S_PER_PROMPT_TOKEN


def _n_tokens(average: float | None, max_tokens: int | None) -> float:
    expected = PRIOR_N_TOKENS if average is None else average
    return expected if max_tokens is None else min(expected, max_tokens)


def _queue_factor(load: ModelLoad, n_slots: int) -> float:
    """One more request behind n others: 1 while a slot is free, then a round of n_slots each time all are taken."""
    n_waiting = load.n_in_flight + load.n_elsewhere + 1 - n_slots
    return 1.0 if n_waiting <= 0 else 1.0 + n_waiting / n_slots


def _trust(load: ModelLoad, now_s: float) -> float:
    """Share of our own averages that still counts; engine statistics are never older than the snapshot."""
    if load.taught_at_s is None:
        return 1.0
    return float(0.5 ** ((now_s - load.taught_at_s) / TRUST_HALF_LIFE_S))
