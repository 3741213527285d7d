"""One streamed answer, whole."""

from collections.abc import AsyncGenerator

import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.errors import EngineError
from neuroforge.experiments.hear import hear_stream, heard_labels
from tests.fakes import FakeClock


def chunk(delta: JsonObject, finish: str | None = None) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def stream(clock: FakeClock, *chunks: JsonObject) -> AsyncGenerator[JsonObject, None]:
    """One a second."""
    for one in chunks:
        clock.advance(1.0)
        yield one


async def test_text_tokens_and_times_are_collected() -> None:
    clock = FakeClock()
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    chunks = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Yes"}), chunk({"content": "."}, "stop"))
    heard = await hear_stream(stream(clock, *chunks, usage), clock)
    assert (heard.reply, heard.finish_reason) == ("Yes.", "stop")
    assert (heard.usage.n_prompt_tokens, heard.usage.n_completion_tokens) == (7, 2)
    assert (heard.ttft_s, heard.latency_s) == (2.0, 4.0)


async def test_tool_calls_are_put_together() -> None:
    clock = FakeClock()
    parts = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
        {"index": 1, "id": "c2", "function": {"name": "stop", "arguments": "{}"}},
    ]
    heard = await hear_stream(
        stream(clock, *(chunk({"tool_calls": [one]}) for one in parts), chunk({}, "tool_calls")), clock
    )
    assert heard.reply == ""
    assert heard.tool_calls == (
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "stop", "arguments": "{}"}},
    )
    assert heard.ttft_s == 1.0


@pytest.mark.parametrize("chunks", [[chunk({"content": "Ye"})], [chunk({"tool_calls": ["x"]})], []])
async def test_an_answer_without_an_end_is_an_error(chunks: list[JsonObject]) -> None:
    clock = FakeClock()
    with pytest.raises(EngineError):
        await hear_stream(stream(clock, *chunks), clock)


def test_the_most_likely_label_is_the_reply_and_has_no_speed() -> None:
    scores = (LabelScore(label="A", logprob=-2.0, n_tokens=1), LabelScore(label="B", logprob=-0.5, n_tokens=1))
    heard = heard_labels(LabelLogprobs(scores=scores, n_prompt_tokens=9))
    assert (heard.reply, heard.label_scores, heard.ttft_s, heard.latency_s) == ("B", scores, None, None)
