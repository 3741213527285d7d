"""What a finished call leaves behind: counters, times, tokens on the key's account, one audit event."""

from collections import Counter

from neuroforge.contracts.keys import AuditEvent
from neuroforge.gateway.audit import AuditBuffer
from neuroforge.gateway.call import Call
from neuroforge.gateway.limits import Limiter
from neuroforge.gateway.parts import GatewayParts

REQUESTS = "neuroforge_requests_total"
"""Counter: requests answered, by route, model and status; the model is empty where none was decided."""
TOKENS = "neuroforge_tokens_total"
"""Counter: tokens, by model and kind (prompt, completion, cached)."""
LATENCY = "neuroforge_request_latency_seconds"
"""Histogram: from request to the answer's last byte, by route and model."""
TTFT = "neuroforge_time_to_first_token_seconds"
"""Histogram: from request to the first chunk of a stream, by model."""
IN_FLIGHT = "neuroforge_requests_in_flight"
"""Gauge: requests that a gateway replica is answering, by replica."""
AUDIT_DROPPED = "neuroforge_audit_events_dropped_total"
"""Counter: audit events lost because the store was away."""
EXCHANGE_FAILURES = "neuroforge_state_exchange_failures_total"
"""Counter: exchanges of a gateway replica with the store that failed."""
LOOP_FAILURES = "neuroforge_gateway_loop_failures_total"
"""Counter: background loops of a gateway replica that ended by an error."""


class Ledger:
    """Counters are summed here and handed on once a second, so that a request costs a few dictionary updates."""

    def __init__(self, parts: GatewayParts, audit: AuditBuffer, limiter: Limiter) -> None:
        self._metrics = parts.metrics
        self._audit = audit
        self._limiter = limiter
        self._clock = parts.clock
        self._wall_clock = parts.wall_clock
        self._replica_tags = {"replica": parts.options.replica_id}
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._n_dropped_told = 0
        self.n_in_flight = 0

    def open(self) -> None:
        """A call came in."""
        self.n_in_flight += 1

    def close(self, call: Call) -> None:
        """A call ended, well or not."""
        self.n_in_flight -= 1
        if not call.route:
            return
        model, usage = call.model_id or "", call.usage
        self._requests[(call.route, model, call.status)] += 1
        self._metrics.observe(LATENCY, self._clock() - call.started_s, {"route": call.route, "model": model})
        if call.ttft_s is not None:
            self._metrics.observe(TTFT, call.ttft_s, {"model": model})
        if usage.n_prompt_tokens or usage.n_completion_tokens:
            for name, share in call.shares or ((model, usage),):
                self._tokens[(name, "prompt")] += share.n_prompt_tokens
                self._tokens[(name, "completion")] += share.n_completion_tokens
                self._tokens[(name, "cached")] += share.n_cached_tokens
            if call.caller is not None:
                self._limiter.add_tokens(call.caller.key, usage.n_prompt_tokens + usage.n_completion_tokens)
        if call.action is not None and call.caller is not None:
            self._audit.add(self._event(call, call.action, call.caller.actor))

    def flush(self) -> None:
        """Hand the sums to Metrics."""
        requests, self._requests = self._requests, Counter()
        tokens, self._tokens = self._tokens, Counter()
        for (route, model, status), n in requests.items():
            self._metrics.count(REQUESTS, n, {"route": route, "model": model, "status": str(status)})
        for (model, kind), n in tokens.items():
            if n:
                self._metrics.count(TOKENS, n, {"model": model, "kind": kind})
        self._metrics.set(IN_FLIGHT, self.n_in_flight, self._replica_tags)
        if n_new := self._audit.n_dropped - self._n_dropped_told:
            self._metrics.count(AUDIT_DROPPED, n_new)
            self._n_dropped_told = self._audit.n_dropped

    def _event(self, call: Call, action: str, actor: str) -> AuditEvent:
        detail: dict[str, str | int | float | bool | None] = {"route": call.route}
        if call.usage.n_prompt_tokens or call.usage.n_completion_tokens:
            detail["n_prompt_tokens"] = call.usage.n_prompt_tokens
            detail["n_completion_tokens"] = call.usage.n_completion_tokens
        if call.error_code is not None:
            detail["error_code"] = call.error_code
        return AuditEvent(
            at_s=self._wall_clock(),
            actor=actor,
            action=action,
            target=call.model_id or call.target,
            request_id=call.request_id,
            status=call.status,
            detail=detail,
        )
