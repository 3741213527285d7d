"""Shadows of live tests: the arms that are asked beside an answer, whose own answers go to nobody."""

import asyncio
import logging
from dataclasses import dataclass, field

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.live_tests import LiveTestTag
from neuroforge.contracts.ports import Metrics
from neuroforge.contracts.routing import Decision, RoutingRequest
from neuroforge.errors import NeuroForgeError
from neuroforge.orchestrator.single import SingleExecution

logger = logging.getLogger(__name__)
SHADOWS = "neuroforge_live_test_shadows_total"
"""Counter: shadow requests by test, arm and result (asked, dropped: too many were under way)."""
MAX_SHADOWS = 2
"""Under way at once in a gateway replica: a measurement must not take the slots of those who wait for answers."""


@dataclass
class Shadows:
    """Asks the other arms once the answer is out."""

    single: SingleExecution
    metrics: Metrics | None = None
    max_at_once: int = MAX_SHADOWS
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, decision: Decision, routing: RoutingRequest, request: EngineRequest) -> None:
        """Return at once; a shadow for which there is no room is left out and counted."""
        for tag in decision.shadows:
            has_room = len(self.tasks) < self.max_at_once
            self._count(tag, "asked" if has_room else "dropped")
            if has_room:
                task = asyncio.create_task(self._ask(tag, routing, request))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def _ask(self, tag: LiveTestTag, routing: RoutingRequest, request: EngineRequest) -> None:
        """The outcome is reported on the way, of a failure too; that is all a shadow is for."""
        asked = RoutingRequest(
            request_id=routing.request_id,
            policy="explicit",
            model_id=tag.model_id,
            requirements=routing.requirements,
            n_prompt_tokens_estimate=routing.n_prompt_tokens_estimate,
            max_tokens=routing.max_tokens,
            actor=routing.actor,
            live_test=tag,
        )
        whole = EngineRequest(**{**dict(request), "stream": False, "body": _unstreamed(request.body)})
        try:
            await self.single.complete(asked, whole)
        except NeuroForgeError as error:
            logger.info("a shadow got no answer", extra={"test": tag.test, "arm": tag.arm, "reason": error.code})

    def _count(self, tag: LiveTestTag, result: str) -> None:
        if self.metrics is not None:
            self.metrics.count(SHADOWS, 1.0, {"test": tag.test, "arm": tag.arm, "result": result})


def _unstreamed(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
