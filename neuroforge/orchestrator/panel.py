"""A task's calls: each to one model, some at once, every token of every one of them on the bill."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.answers import finish_reason_of, usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN, MEDIA_CHARACTERS, EngineRequest, Usage
from neuroforge.contracts.models import Capability
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Completed, RouteOptions, RoutingRequest, Spent
from neuroforge.contracts.tasks import Member, Task
from neuroforge.errors import EngineTimeout, NeuroForgeError
from neuroforge.orchestrator.answers import text_of
from neuroforge.orchestrator.single import SingleExecution

Stop = Callable[[Sequence["Answer"]], bool]
"""Whether the answers so far are enough."""


@dataclass(frozen=True)
class Order:
    """One call."""

    messages: Sequence[JsonObject]
    model_id: str | None = None
    """None = as the caller asked: a model of its own, or the router's choice by policy."""
    changes: JsonObject = field(default_factory=dict)
    """Fields of OpenAI's body that differ from the task's."""
    requirements: frozenset[Capability] = frozenset()
    """Beside those of the task."""
    keeps_options: bool = True
    """False = `changes` are all the options that it has, and `requirements` all that it needs."""


@dataclass(frozen=True)
class Answer:
    """What came of an order."""

    place: int
    """Which order it was."""
    member: Member
    body: JsonObject | None = None
    error: NeuroForgeError | None = None


class Panel:
    """The calls of one task."""

    def __init__(
        self, task: Task, caller: RoutingRequest, single: SingleExecution, clock: Clock, default_timeout_s: float
    ) -> None:
        """`clock` is monotonic; `caller.body`, where there is one, is the task's conversation and options, checked."""
        self.task = task
        self.caller = caller
        self.started_s = clock()
        self._clock = clock
        self._single = single
        limits = single.adaptation.limits
        self._slots = asyncio.Semaphore(limits.max_fan_out)
        self._deadline_s = self.started_s + (task.deadline_s or default_timeout_s)
        body = dict(caller.body) if isinstance(caller.body, dict) else dict(task.options)
        told = body.pop("messages", None)
        self.options: JsonObject = body
        self.messages: tuple[JsonObject, ...] = tuple(told if told is not None else task.messages or ())
        self._n_orders = 0
        self.spent: list[Spent] = []
        """What every call has cost: members, judges, hedges, failures and what was no longer needed."""

    async def ask(self, order: Order, place: int = 0) -> Answer:
        """Return the answer, or the error that it ended with; a cancelled call stays on the bill."""
        asked_s = self._clock()
        name = order.model_id or self.caller.model_id or self.caller.policy
        spent: list[Spent] = []
        try:
            routing, request = self._request(order)
            completed = await self._single.complete(routing, request, spent)
        except NeuroForgeError as error:
            member = Member(model_id=name, error=error.message, latency_s=self._clock() - asked_s)
            return Answer(place, member, error=error)
        finally:
            self.spent += spent
        member = _member(completed, self._clock() - asked_s, self._single)
        self.spent.append(Spent(model_id=member.model_id, usage=member.usage, cost_usd=member.cost_usd))
        return Answer(place, member, completed.body)

    async def ask_all(self, orders: Sequence[Order], is_enough: Stop | None = None) -> list[Answer]:
        """Ask all, a few at a time; return what was answered in the orders' order.

        Once `is_enough` says so, what is still under way is cancelled, which frees its slot, and is not in the list.
        """
        done: list[Answer] = []
        tasks = [asyncio.create_task(self._ask_in_turn(order, place)) for place, order in enumerate(orders)]
        try:
            for next_one in asyncio.as_completed(tasks):
                done.append(await next_one)
                if is_enough is not None and is_enough(done):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return sorted(done, key=lambda one: one.place)

    async def _ask_in_turn(self, order: Order, place: int) -> Answer:
        async with self._slots:
            return await self.ask(order, place)

    def _request(self, order: Order) -> tuple[RoutingRequest, EngineRequest]:
        left_s = self._deadline_s - self._clock()
        if left_s <= 0:
            raise EngineTimeout("the task's time is up", deadline_s=self._deadline_s - self.started_s)
        self._n_orders += 1
        request_id = f"{self.caller.request_id}-{self._n_orders}"
        options = self.options if order.keeps_options else {}
        needs = self.caller.requirements if order.keeps_options else frozenset()
        body = {**options, **order.changes, "messages": list(order.messages)}
        requirements = needs | order.requirements | {"chat"}
        n_tokens = sum(_n_characters(one.get("content")) for one in order.messages) // CHARACTERS_PER_TOKEN
        fields = {
            **dict(self.caller),
            "request_id": request_id,
            "requirements": requirements,
            "n_prompt_tokens_estimate": n_tokens,
            "max_tokens": body.get("max_tokens"),
            "body": body,
        }
        if order.model_id is not None:
            fields |= {"policy": "explicit", "model_id": order.model_id, "route": RouteOptions()}
        request = EngineRequest(
            request_id=request_id,
            route="chat/completions",
            body=body,
            requirements=requirements,
            n_prompt_tokens_estimate=n_tokens,
            max_tokens=body.get("max_tokens"),
            deadline_s=left_s,
        )
        return RoutingRequest(**fields), request


def _member(completed: Completed, latency_s: float, single: SingleExecution) -> Member:
    decision = completed.decision
    usage = usage_of(completed.body) or Usage()
    endpoint = single.adaptation.fleet.snapshot.find(decision.model_id)
    views = (one.prediction for one in decision.candidates if one.model_id == decision.model_id)
    prediction = next((one for one in views if one is not None), None)
    return Member(
        model_id=decision.model_id,
        decision_id=decision.decision_id,
        text=text_of(completed.body),
        finish_reason=finish_reason_of(completed.body),
        latency_s=latency_s,
        cost_usd=0.0 if endpoint is None else endpoint.price.cost_usd(usage.n_prompt_tokens, usage.n_completion_tokens),
        usage=usage,
        predicted_quality=None if prediction is None else prediction.quality,
    )


def _n_characters(content: Any) -> int:
    if not isinstance(content, list):
        return len(str(content or ""))
    parts = [one for one in content if isinstance(one, dict)]
    return sum(len(str(one["text"])) if "text" in one else MEDIA_CHARACTERS for one in parts)
