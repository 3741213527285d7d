"""Requests that are answered by the most probable of some labels -> OpenAI's bodies, as of an answer that was written.

What such a prompt was proven by is which label is the most probable; what the model would write may be something else.
"""

import time
from collections.abc import AsyncGenerator

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelRequest, PromptText
from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.ports_engines import EngineClient


async def complete(engine: EngineClient, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
    """As EngineClient.complete, of any request; of labels whose scores are equal the first."""
    if not request.labels:
        return await engine.complete(endpoint, request)
    label, usage = await _choose(engine, endpoint, request)
    choice = {"index": 0, "message": {"role": "assistant", "content": label}, "logprobs": None, "finish_reason": "stop"}
    return {**_head(endpoint, request, "chat.completion"), "choices": [choice], "usage": usage}


def stream(engine: EngineClient, endpoint: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
    """As EngineClient.stream, of any request; a label comes whole."""
    # Chunks of what a model writes pass through no generator more.
    return _stream_label(engine, endpoint, request) if request.labels else engine.stream(endpoint, request)


async def _stream_label(
    engine: EngineClient, endpoint: ModelEndpoint, request: EngineRequest
) -> AsyncGenerator[JsonObject, None]:
    label, usage = await _choose(engine, endpoint, request)
    head = _head(endpoint, request, "chat.completion.chunk")
    for delta, reason in (({"role": "assistant", "content": label}, None), ({}, "stop")):
        yield {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
    yield {**head, "choices": [], "usage": usage}


async def _choose(engine: EngineClient, endpoint: ModelEndpoint, request: EngineRequest) -> tuple[str, JsonObject]:
    prompt = PromptText(messages=tuple(request.body["messages"]))
    asked = LabelRequest(prompt=prompt, labels=request.labels, deadline_s=request.deadline_s)
    found = await engine.label_logprobs(endpoint, asked)
    best = max(found.scores, key=lambda one: one.logprob)
    usage = {
        "prompt_tokens": found.n_prompt_tokens,
        "completion_tokens": best.n_tokens,
        "total_tokens": found.n_prompt_tokens + best.n_tokens,
    }
    return best.label, usage


def _head(endpoint: ModelEndpoint, request: EngineRequest, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{request.request_id}",
        "object": kind,
        "created": int(time.time()),
        "model": endpoint.served_name,
    }
