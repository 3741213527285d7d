from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.chat import EngineRoute
from neuroforge.engines.llamacpp_request import GenerationPlan, ModelTraits, check_parameters, plan_generation
from neuroforge.errors import RequestError, UnsupportedParameter

HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(has_tools: bool = True, **fields: Any) -> GenerationPlan:
    return plan_generation("chat/completions", {"messages": HI, **fields}, ModelTraits(4, has_tools, 100, 512))


def completion(**fields: Any) -> GenerationPlan:
    return plan_generation("completions", {"prompt": "x", **fields}, ModelTraits(4, False, 100, 512))


def test_every_generation_is_a_stream_with_progress() -> None:
    sent = chat(stream=False).body
    assert (sent["stream"], sent["return_progress"], sent["stream_options"]) == (True, True, {"include_usage": True})


def test_usage_chunk_is_wanted_only_when_asked_for() -> None:
    assert not chat(stream=True).wants_usage
    assert chat(stream=True, stream_options={"include_usage": True}).wants_usage


def test_the_newer_name_of_the_limit_wins() -> None:
    sent = chat(max_tokens=9, max_completion_tokens=3).body
    assert sent["max_tokens"] == 3
    assert "max_completion_tokens" not in sent


@given(st.integers())
def test_no_seed_means_random_to_llama_cpp(seed: int) -> None:
    assert 0 <= chat(seed=seed).body["seed"] < 0xFFFFFFFF


def test_small_seeds_stay_themselves() -> None:
    assert chat(seed=42).body["seed"] == 42


def test_penalties_look_at_the_whole_text() -> None:
    assert chat(presence_penalty=0.5).body["repeat_last_n"] == 512
    assert "repeat_last_n" not in chat(presence_penalty=0).body


def test_logit_bias_becomes_pairs() -> None:
    assert chat(logit_bias={"12": -3}).body["logit_bias"] == [[12, -3.0]]


@pytest.mark.parametrize(
    ("fields", "sent_top", "kept_top"),
    [
        ({}, None, None),
        ({"logprobs": False}, None, None),
        ({"logprobs": True}, 1, 0),
        ({"logprobs": True, "top_logprobs": 0}, 1, 0),
        ({"logprobs": True, "top_logprobs": 5}, 5, 5),
    ],
)
def test_chat_logprobs(fields: dict[str, Any], sent_top: int | None, kept_top: int | None) -> None:
    plan = chat(**fields)
    assert plan.body.get("top_logprobs") == sent_top
    assert plan.n_top_logprobs == kept_top


@pytest.mark.parametrize(("logprobs", "sent", "kept"), [(None, None, None), (0, 1, 0), (3, 3, 3)])
def test_completion_logprobs(logprobs: int | None, sent: int | None, kept: int | None) -> None:
    plan = completion(logprobs=logprobs)
    assert plan.body.get("logprobs") == sent
    assert plan.n_top_logprobs == kept


@pytest.mark.parametrize(
    ("prompt", "n_slots"), [("one", 2), ([1, 2, 3], 2), (["a", "b"], 4), ([[1], [2], [3]], 6), ([], 2)]
)
def test_slots_are_choices_times_prompts(prompt: Any, n_slots: int) -> None:
    assert completion(prompt=prompt, n=2).n_slots == n_slots


def test_a_forced_call_is_asked_for_by_schema() -> None:
    plan = chat(tools=[TOOL], tool_choice="required", parallel_tool_calls=True)
    assert plan.is_forced_call
    assert plan.body["tool_choice"] == "none"
    assert plan.body["response_format"]["json_schema"]["schema"]["properties"]["name"] == {"const": "f"}
    assert "parallel_tool_calls" not in plan.body


def test_a_free_choice_is_left_to_the_template() -> None:
    plan = chat(tools=[TOOL], tool_choice="auto")
    assert not plan.is_forced_call
    assert plan.body["tools"] == [TOOL]


def test_without_tools_nothing_is_said_of_them() -> None:
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(chat(tools=[], tool_choice="auto").body)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"echo": True}, "echo"),
        ({"functions": []}, "functions"),
        ({"n": 5}, "n"),
        ({"n": 0}, "n"),
        ({"logit_bias": {"word": 1}}, "logit_bias"),
        ({"logit_bias": {"100": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "required", "logprobs": True}, "logprobs"),
        ({"tools": [TOOL], "tool_choice": "required", "response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        chat(**fields)
    assert caught.value.context["param"] == param


def test_tools_need_a_template_with_a_place_for_them() -> None:
    with pytest.raises(UnsupportedParameter, match="no place for tools"):
        chat(has_tools=False, tools=[TOOL])


def test_text_parts_pass() -> None:
    assert chat(messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}]).n_slots == 1


def test_a_completion_needs_a_prompt() -> None:
    with pytest.raises(RequestError, match="'prompt' is missing"):
        plan_generation("completions", {}, ModelTraits(4, False, 100, 512))


@pytest.mark.parametrize(
    ("route", "name"), [("embeddings", "dimensions"), ("completions", "suffix"), ("chat/completions", "best_of")]
)
def test_parameters_are_known_by_route(route: EngineRoute, name: str) -> None:
    assert check_parameters(route, {name: None}) == {}
    with pytest.raises(UnsupportedParameter):
        check_parameters(route, {name: 1})
