"""Shadows: arms of live tests and versions of prompts that are asked beside an answer, and answer nobody."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.live_tests import LiveTestTag
from neuroforge.contracts.ports import Metrics
from neuroforge.contracts.routing import Decision, PromptShadow, PromptTag, RoutingRequest
from neuroforge.errors import NeuroForgeError
from neuroforge.orchestrator.single import SingleExecution

logger = logging.getLogger(__name__)
SHADOWS = "neuroforge_live_test_shadows_total"
"""Counter: shadow requests by test, arm and result (asked, dropped: too many were under way)."""
PROMPT_SHADOWS = "neuroforge_prompt_shadows_total"
"""Counter: the same of prompts' shadows, by prompt, version and result."""
MAX_SHADOWS = 2
"""Under way at once in a gateway replica: a measurement must not take the slots of those who wait for answers."""


@dataclass
class Shadows:
    """Asks them once the answer is out."""

    single: SingleExecution
    metrics: Metrics | None = None
    max_at_once: int = MAX_SHADOWS
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, decision: Decision, routing: RoutingRequest, request: EngineRequest) -> None:
        """Return at once; a shadow for which there is no room is left out and counted."""
        for arm in decision.shadows:
            asked = _asked_beside(routing, arm.model_id, live_test=arm)
            self._begin(SHADOWS, {"test": arm.test, "arm": arm.arm}, asked, request)
        if (shadow := routing.shadow) is not None:
            asked = _asked_beside(routing, _model_for(shadow, decision, routing), prompt=shadow.tag)
            put = EngineRequest(**{**dict(request), "body": shadow.body, "labels": shadow.labels})
            tags = {"prompt": shadow.tag.name, "version": str(shadow.tag.version)}
            self._begin(PROMPT_SHADOWS, tags, asked, put)

    def _begin(self, counter: str, tags: Mapping[str, str], asked: RoutingRequest, request: EngineRequest) -> None:
        has_room = len(self.tasks) < self.max_at_once
        if self.metrics is not None:
            self.metrics.count(counter, 1.0, {**tags, "result": "asked" if has_room else "dropped"})
        if has_room:
            whole = EngineRequest(**{**dict(request), "stream": False, "body": _unstreamed(request.body)})
            task = asyncio.create_task(self._ask(tags, asked, whole))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _ask(self, tags: Mapping[str, str], asked: RoutingRequest, request: EngineRequest) -> None:
        """The outcome is reported on the way, of a failure too; that is all a shadow is for."""
        try:
            await self.single.complete(asked, request)
        except NeuroForgeError as error:
            logger.info("a shadow got no answer", extra={**tags, "reason": error.code})


def _model_for(shadow: PromptShadow, decision: Decision, routing: RoutingRequest) -> str:
    """The model that answered, if the version was proven on it, else the first of those that the key may use."""
    if not shadow.models or decision.model_id in shadow.models:
        return decision.model_id
    allowed = routing.allowed_models
    return next((one for one in shadow.models if allowed is None or one in allowed), shadow.models[0])


def _asked_beside(routing: RoutingRequest, model_id: str, **of: LiveTestTag | PromptTag) -> RoutingRequest:
    return RoutingRequest(
        request_id=routing.request_id,
        policy="explicit",
        model_id=model_id,
        requirements=routing.requirements,
        n_prompt_tokens_estimate=routing.n_prompt_tokens_estimate,
        max_tokens=routing.max_tokens,
        allowed_models=routing.allowed_models,
        actor=routing.actor,
        **of,
    )


def _unstreamed(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
