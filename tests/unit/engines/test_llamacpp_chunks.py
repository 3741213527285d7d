from typing import Any

import orjson

from neuroforge.contracts.chat import Usage
from neuroforge.engines.llamacpp_chunks import DONE, AnswerCollector, ChunkTranslator
from neuroforge.engines.llamacpp_request import GenerationPlan


def plan(**changes: Any) -> GenerationPlan:
    defaults: dict[str, Any] = {
        "path": "/v1/chat/completions",
        "body": {},
        "is_chat": True,
        "n_choices_per_prompt": 1,
        "n_slots": 1,
        "wants_usage": False,
    }
    return GenerationPlan(**{**defaults, **changes})


def event(*choices: dict[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({"choices": list(choices), "id": "c", **fields})


def text(content: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"finish_reason": None, "index": index, "delta": {"content": content}, **fields}


def end(reason: str = "stop", index: int = 0) -> dict[str, Any]:
    return {"finish_reason": reason, "index": index, "delta": {}}


def usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    details = {"cached_tokens": cached}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details}


def test_text_passes_as_the_same_bytes() -> None:
    data = event(text('looks like ,"prompt_progress":{ and ,"usage":{'))
    assert ChunkTranslator(plan()).feed(data) == [data]


def test_progress_is_dropped() -> None:
    translator = ChunkTranslator(plan())
    assert translator.feed(event(text(""), prompt_progress={"total": 3})) == []
    assert translator.totals.n_texts == 0


def test_usage_is_held_back_to_the_end() -> None:
    translator = ChunkTranslator(plan(wants_usage=True))
    timings = {"predicted_n": 3, "predicted_ms": 100.0}
    assert translator.feed(event(usage=usage(5, 3, cached=4), timings=timings)) == []
    sent = translator.feed(DONE)
    assert sent[1] == DONE
    chunk = orjson.loads(sent[0])
    assert chunk["choices"] == []
    assert chunk["usage"]["total_tokens"] == 8
    assert translator.totals.usage == Usage(n_prompt_tokens=5, n_completion_tokens=3, n_cached_tokens=4)
    assert translator.totals.s_per_token == 0.05


def test_usage_is_not_sent_unasked() -> None:
    translator = ChunkTranslator(plan())
    translator.feed(event(usage=usage(5, 3)))
    assert translator.feed(DONE) == [DONE]


def test_choices_of_one_prompt_count_it_once() -> None:
    translator = ChunkTranslator(plan(n_choices_per_prompt=2))
    translator.feed(event(usage=usage(5, 3)))
    translator.feed(event(usage=usage(5, 4)))
    assert translator.totals.usage == Usage(n_prompt_tokens=5, n_completion_tokens=7)


def test_the_last_text_of_a_completion_keeps_its_finish_reason() -> None:
    translator = ChunkTranslator(plan(is_chat=False))
    last = {"text": "", "index": 0, "logprobs": None, "finish_reason": "length"}
    (sent,) = translator.feed(event(last, usage=usage(1, 2), timings={}))
    assert orjson.loads(sent) == {"choices": [last], "id": "c"}


def token(name: str, *tops: str) -> dict[str, Any]:
    alternatives = [{"id": 1, "token": top, "bytes": [], "logprob": -2.0} for top in tops]
    return {"id": 7, "token": name, "bytes": [], "logprob": -1.0, "top_logprobs": alternatives}


def test_alternatives_beyond_those_asked_for_are_cut() -> None:
    translator = ChunkTranslator(plan(n_top_logprobs=1))
    (sent,) = translator.feed(event(text("a", logprobs={"content": [token("a", "b", "c")]})))
    (kept,) = orjson.loads(sent)["choices"][0]["logprobs"]["content"]
    assert kept == {
        "token": "a",
        "bytes": [],
        "logprob": -1.0,
        "top_logprobs": [{"token": "b", "bytes": [], "logprob": -2.0}],
    }


def test_completion_logprobs_count_offsets_across_chunks() -> None:
    translator = ChunkTranslator(plan(is_chat=False, n_top_logprobs=1))
    offsets = []
    for word in ("ab", "c"):
        part = {"text": word, "index": 0, "finish_reason": None, "logprobs": {"content": [token(word, "z")]}}
        (sent,) = translator.feed(event(part))
        offsets += orjson.loads(sent)["choices"][0]["logprobs"]["text_offset"]
    assert offsets == [0, 2]


def test_a_forced_call_becomes_deltas_and_a_finish_reason() -> None:
    translator = ChunkTranslator(plan(is_forced_call=True))
    sent = translator.feed(event(text('{"name":"f","arguments":{}')))
    sent += translator.feed(event(text("}")))
    sent += translator.feed(event(end("stop")))
    choices = [orjson.loads(data)["choices"][0] for data in sent]
    calls = [choice["delta"]["tool_calls"][0]["function"] for choice in choices[:-1]]
    assert [call.get("name") for call in calls] == ["f", None, None][: len(calls)]
    assert "".join(call["arguments"] for call in calls) == "{}"
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_a_forced_call_that_ran_out_of_tokens_says_so() -> None:
    translator = ChunkTranslator(plan(is_forced_call=True))
    (sent,) = translator.feed(event(end("length")))
    assert orjson.loads(sent)["choices"][0]["finish_reason"] == "length"


def collected(*chunks: dict[str, Any], is_chat: bool = True) -> dict[str, Any]:
    collector = AnswerCollector(is_chat)
    for chunk in chunks:
        collector.add(chunk)
    return collector.answer(Usage(n_prompt_tokens=2, n_completion_tokens=1))


def test_a_whole_chat_answer() -> None:
    role = {"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}
    answer = collected(*({"id": "c", "choices": [part]} for part in (role, text("He"), text("y"), end())))
    assert answer["object"] == "chat.completion"
    assert answer["choices"] == [
        {
            "index": 0,
            "logprobs": None,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hey"},
        }
    ]
    assert answer["usage"]["total_tokens"] == 3


def test_choices_are_kept_apart_and_in_order() -> None:
    answer = collected(*({"choices": [part]} for part in (text("b", 1), text("a", 0), text("c", 1))))
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["a", "bc"]


def test_pieces_of_tool_calls_are_joined_and_content_is_null() -> None:
    first = {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "function": {"arguments": "}"}}
    parts = [{"finish_reason": None, "index": 0, "delta": {"tool_calls": [piece]}} for piece in (first, more)]
    message = collected(*({"choices": [part]} for part in parts))["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_reasoning_and_logprobs_are_joined() -> None:
    parts = [
        {"finish_reason": None, "index": 0, "delta": {"reasoning_content": word}, "logprobs": {"content": [word]}}
        for word in ("a", "b")
    ]
    choice = collected(*({"choices": [part]} for part in parts))["choices"][0]
    assert choice["message"]["reasoning_content"] == "ab"
    assert choice["logprobs"] == {"content": ["a", "b"]}


def test_a_whole_completion() -> None:
    parts = [{"text": word, "index": 0, "logprobs": None, "finish_reason": None} for word in ("a", "b")]
    answer = collected(*({"choices": [part]} for part in parts), is_chat=False)
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "ab"
