"""One run's calls to one judge: within the run's budget, tried again while that helps, and counted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from neuroforge.contracts.answers import content_of, usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.experiment_run import ExperimentPlan, RunStop
from neuroforge.contracts.experiments import Judge
from neuroforge.contracts.models import Price
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.errors import NeuroForgeError, UnsupportedParameter
from neuroforge.experiments.ledger import Ledger
from neuroforge.scoring.judge import MAX_TOKENS

MAX_ATTEMPTS = 3
MAX_FAILURES = 5
"""Calls in a row that failed, all attempts of each, after which the judge counts as down for this run."""
_WAIT_S = 1.0


class JudgeModels(Protocol):
    """`neuroforge.client.AsyncClient` is one."""

    async def chat(self, messages: list[JsonObject], model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body."""
        ...


@dataclass
class JudgeCalls:
    """What one run took of the judge, and why it ended early."""

    n_calls: int = 0
    n_tokens: int = 0
    cost_usd: float = 0.0
    why_down: str | None = None
    """Why it was given up."""
    stopped_by: RunStop | None = None
    """The budget that ended, or `cancelled`."""


class JudgeSession:
    """Asks the judge; `close` after use."""

    def __init__(
        self,
        plan: ExperimentPlan,
        judge: Judge,
        models: JudgeModels,
        now: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Open the ledger that the run of the matrix began: one budget holds both.

        Args:
            now: Unix time.
        """
        self.directory = Path(plan.directory)
        self.judge = judge
        self.calls = JudgeCalls()
        self._seed = plan.config.seed
        self._price = plan.judge.price if plan.judge is not None else Price()
        self._ledger = Ledger(self.directory, plan.config.budget, now)
        self._models = models
        self._sleep = sleep
        self._takes_schema = True
        self._n_failures = 0

    def close(self) -> None:
        """Let the ledger go."""
        self._ledger.close()

    def cancel(self) -> None:
        """Let no further call start."""
        self.calls.stopped_by = "cancelled"

    async def ask(self, messages: Sequence[JsonObject], schema: JsonObject) -> str | None:
        """Return what the judge says; None when it did not answer, is down, or may not be asked any more."""
        attempt = 0
        while self._may_ask():
            attempt += 1
            options = self._options(schema)
            try:
                body = await self._models.chat(list(messages), self.judge.model_id, **options)
            except UnsupportedParameter as error:
                if "response_format" not in options:
                    self._count_failure(error)
                    return None
                self._takes_schema = False  # its answers are read as they come
            except NeuroForgeError as error:
                if not error.retryable or attempt >= MAX_ATTEMPTS:
                    self._count_failure(error)
                    return None
                await self._sleep(_WAIT_S * 2 ** (attempt - 1))
            else:
                self._count_answer(body)
                return content_of(body) or ""
        return None

    def _may_ask(self) -> bool:
        """Count one more call, if one may start."""
        if self.calls.why_down is not None or self.calls.stopped_by is not None:
            return False
        if not self._ledger.admit(self._price.cost_usd(1, 1) > 0):
            self.calls.stopped_by = self._ledger.stopped_by
            return False
        self.calls.n_calls += 1
        return True

    def _options(self, schema: JsonObject) -> dict[str, Any]:
        options: dict[str, Any] = {
            "temperature": 0,
            "seed": self._seed,
            "max_tokens": MAX_TOKENS,
            "neuroforge": AS_NAMED,
        }
        if self._takes_schema:
            named = {"name": "verdict", "schema": schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": named}
        return options

    def _count_answer(self, body: JsonObject) -> None:
        self._n_failures = 0
        usage = usage_of(body)
        if usage is None:
            return
        n_tokens = usage.n_prompt_tokens + usage.n_completion_tokens
        cost_usd = self._price.cost_usd(usage.n_prompt_tokens, usage.n_completion_tokens)
        self._ledger.spend(n_tokens, cost_usd)
        self.calls.n_tokens += n_tokens
        self.calls.cost_usd += cost_usd

    def _count_failure(self, error: NeuroForgeError) -> None:
        self._n_failures += 1
        if self._n_failures >= MAX_FAILURES:
            self.calls.why_down = error.message
