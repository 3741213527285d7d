"""A gateway in one process: the router decides, made-up models answer, the learner learns. Implements RoutedFleet."""

from collections.abc import Callable, Sequence
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.models import ModelState, ModelStatus
from neuroforge.contracts.outcomes import Feedback, FeedbackReceipt, RouterStatus
from neuroforge.contracts.routing import Decision, Outcome, RouteOptions
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerReport, pack_row
from neuroforge.router.pipeline import LearnedRouter
from neuroforge.router.records import make_record
from tests.fakes import endpoint, routing_request, snapshot
from tests.unit.datasets.fakes import status
from tests.unit.router.learning import SetClock


class LiveFleet:
    """`reply(model, query)` is what a model says."""

    def __init__(
        self,
        router: LearnedRouter,
        learner: Learner,
        clock: SetClock,
        reply: Callable[[str, str], str],
        model_ids: Sequence[str],
    ) -> None:
        self.router, self.learner, self.clock = router, learner, clock
        self._reply = reply
        self._model_ids = model_ids
        self._fleet = snapshot(*(endpoint(name) for name in model_ids))
        self.asked: list[tuple[str, str]] = []
        self.exchange()

    def models(self) -> tuple[ModelStatus, ...]:
        return tuple(status(name, state=ModelState.READY) for name in self._model_ids)

    def router_status(self) -> RouterStatus:
        return self.learner.status()

    def route(self, messages: list[JsonObject], model: str, **options: Any) -> Decision:
        return self._decide(messages, options)

    def chat(self, messages: str | list[JsonObject], model: str, **options: Any) -> JsonObject:
        text = messages if isinstance(messages, str) else messages[-1]["content"]
        decision = self._decide([{"role": "user", "content": text}], options)
        self.asked.append((decision.model_id, text))
        self.router.started(decision)
        self.router.finished(
            Outcome(
                decision_id=decision.decision_id,
                request_id=decision.request_id,
                model_id=decision.model_id,
                policy=decision.policy,
                status=200,
                finish_reason="stop",
                n_prompt_tokens=9,
                n_completion_tokens=5,
                latency_s=0.5,
            )
        )
        self.exchange()
        message = {"role": "assistant", "content": self._reply(decision.model_id, text)}
        told = {"decision_id": decision.decision_id, "reason": decision.reason}
        return {"choices": [{"message": message, "finish_reason": "stop"}], "neuroforge": told}

    def label_logprobs(self, prompt: list[JsonObject], labels: Sequence[str], model: str) -> LabelLogprobs:
        raise AssertionError("nobody asks for these")

    def feedback(self, decision_id: str, score: float) -> FeedbackReceipt:
        return self.learner.give_feedback(Feedback(decision_id=decision_id, score=score), None)

    def sleep(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.exchange()

    def _decide(self, messages: list[JsonObject], options: dict[str, Any]) -> Decision:
        route = RouteOptions(**options["neuroforge"]["route"])
        request = routing_request(body={"messages": messages}, policy="auto", route=route)
        return self.router.decide(request, self._fleet)

    def exchange(self, clusters: bytes | None = None) -> None:
        taken = self.router.buffer.take(len(self.router.buffer))
        records = [make_record(self.router.describe(one), "stats") for one in taken]
        rows = tuple(row for one in records if (row := pack_row(one, "stats")) is not None)
        version, fit_id = self.router.knowledge.known
        reply = self.learner.exchange(LearnerReport(rows, 0, version, fit_id, clusters))
        if reply.snapshot is not None:
            self.router.knowledge.take(reply.snapshot)
