"""What a chat request that names a prompt becomes."""

from typing import Any

import pytest
from pydantic import ValidationError

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompt_serving import PromptSnapshot
from neuroforge.contracts.prompts import PromptRelease
from neuroforge.contracts.routing import PromptTag
from neuroforge.gateway.prompt_views import text_of
from tests.unit.gateway.fakes import LAST, Gateway, Reply, delta
from tests.unit.gateway.fakes_prompts import holding, release

PATH = "/v1/chat/completions"
FIRST = release(("system", "Be brief."), ("user", "Answer: {{ query }}"))
TWO = release(("user", "{{ style }}: {{ topic }}"), variables=("style", "topic"))
USER = {"role": "user", "content": "why?"}
RENDERED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Answer: why?"}]
JsonObject = dict[str, Any]


async def asked(held: PromptSnapshot | PromptRelease, **body: Any) -> tuple[Gateway, Reply]:
    snapshot = held if isinstance(held, PromptSnapshot) else holding(held)
    gateway = Gateway()
    gateway.state.prompts = snapshot
    async with gateway.running() as client:
        return gateway, await client.post(PATH, {"model": "prompt:sense", "messages": [USER], **body})


async def sent(held: PromptSnapshot | PromptRelease, **body: Any) -> JsonObject:
    """What the engine is asked."""
    gateway, reply = await asked(held, **body)
    assert reply.status == 200, reply.body
    return gateway.orchestrator.requests[0].body


async def refused(held: PromptSnapshot | PromptRelease, **body: Any) -> tuple[int, str, str]:
    gateway, reply = await asked(held, **body)
    assert gateway.orchestrator.requests == []
    return reply.status, reply.error["param"], reply.error["message"]


@pytest.mark.parametrize("model", ["prompt:sense", "prompt:sense@production", "prompt:sense@1"])
async def test_the_last_user_message_is_the_query_of_the_prompt_that_the_model_names(model: str) -> None:
    assert (await sent(FIRST, model=model))["messages"] == RENDERED


async def test_variables_are_put_into_the_prompt_and_messages_are_not_needed() -> None:
    body = {"model": "prompt:sense", "neuroforge": {"prompt": {"variables": {"style": "Rhyme", "topic": 7}}}}
    gateway = Gateway()
    gateway.state.prompts = holding(TWO)
    async with gateway.running() as client:
        reply = await client.post(PATH, body)
    assert reply.status == 200, reply.body
    assert gateway.orchestrator.requests[0].body["messages"] == [{"role": "user", "content": "Rhyme: 7"}]


async def test_a_prompt_named_beside_the_model_is_answered_by_that_model() -> None:
    gateway, _ = await asked(FIRST, model="big", neuroforge={"prompt": {"name": "sense", "version": 1}})
    (routing,) = gateway.orchestrator.routings
    assert (routing.policy, routing.model_id, routing.route.candidates) == ("explicit", "big", None)


async def test_auto_chooses_among_the_models_that_the_prompt_was_proven_on_and_the_fleet_has() -> None:
    proven = release(("user", "{{ query }}"), models=("big", "gone"))
    gateway, _ = await asked(proven)
    (routing,) = gateway.orchestrator.routings
    assert (routing.policy, routing.route.candidates) == ("auto", ("big",))


async def test_candidates_of_the_callers_own_win_over_the_prompts() -> None:
    proven = release(("user", "{{ query }}"), models=("big",))
    gateway, _ = await asked(proven, neuroforge={"route": {"candidates": ["small"]}})
    assert gateway.orchestrator.routings[0].route.candidates == ("small",)


async def test_a_prompt_proven_on_models_that_are_gone_says_so() -> None:
    status, param, message = await refused(release(("user", "{{ query }}"), models=("gone",)))
    assert (status, param) == (404, "model")
    assert "prompt 'sense' version 1 was proven on gone, which this fleet does not have" in message


async def test_earlier_turns_follow_the_system_message_and_later_ones_the_prompt() -> None:
    earlier = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    later = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "4"}]
    body = await sent(FIRST, messages=[*earlier, USER, *later])
    assert body["messages"] == [RENDERED[0], *earlier, RENDERED[1], *later]


async def test_messages_go_on_where_the_prompt_ends_when_its_variables_are_given() -> None:
    options = {"prompt": {"variables": {"query": "why?"}}}
    talk = [{"role": "assistant", "content": "so"}, {"role": "user", "content": "and?"}]
    assert (await sent(FIRST, messages=talk, neuroforge=options))["messages"] == [*RENDERED, *talk]


async def test_a_system_message_of_the_callers_stands_first_where_the_prompt_has_none() -> None:
    system = {"role": "developer", "content": "In French."}
    body = await sent(release(("user", "Q: {{ query }}")), messages=[USER, system])
    assert [(one["role"], one["content"]) for one in body["messages"]] == [
        ("system", "In French."),
        ("user", "Q: why?"),
    ]


async def test_two_system_messages_are_refused() -> None:
    told = await refused(FIRST, messages=[{"role": "system", "content": "x"}, USER])
    assert told == (400, "messages", "prompt 'sense' version 1 brings the system message: leave yours out")


async def test_text_parts_are_the_query_and_pictures_are_refused() -> None:
    parts = [{"type": "text", "text": "wh"}, {"type": "text", "text": "y?"}]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert (await sent(FIRST, messages=[{"role": "user", "content": parts}]))["messages"] == RENDERED
    status, param, message = await refused(FIRST, messages=[{"role": "user", "content": [*parts, image]}])
    assert (status, param) == (400, "messages")
    assert "it must be text" in message


async def test_braces_of_a_caller_are_text() -> None:
    body = await sent(FIRST, messages=[{"role": "user", "content": "{{ 7*7 }} {% raw %}"}])
    assert body["messages"][1]["content"] == "Answer: {{ 7*7 }} {% raw %}"


async def test_a_variable_of_half_a_megabyte_passes_whole() -> None:
    text = "{{x}}é" * 100_000
    body = await sent(FIRST, messages=[{"role": "user", "content": text}])
    assert body["messages"][1]["content"] == f"Answer: {text}"


async def test_decoding_fills_in_what_the_caller_leaves_open_but_for_the_seed() -> None:
    decoding = Decoding(temperature=0.5, top_p=0.9, max_tokens=7, stop=("\n",), seed=3)
    held = release(("user", "{{ query }}"), decoding=decoding)
    body = await sent(held, model="prompt:sense", top_p=0.25, max_completion_tokens=9)
    assert {name: body.get(name) for name in ("temperature", "top_p", "max_tokens", "stop", "seed")} == {
        "temperature": 0.5,
        "top_p": 0.25,
        "max_tokens": 9,
        "stop": ["\n"],
        "seed": None,
    }


async def test_tools_formats_and_streams_go_on_as_without_a_prompt() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    gateway = Gateway()
    gateway.state.prompts = holding(FIRST)
    gateway.orchestrator.events = (delta("hi"), LAST)
    async with gateway.running() as client:
        options = {"stream": True, "tools": [tool], "response_format": {"type": "json_object"}}
        reply = await client.post(PATH, {"model": "prompt:sense", "messages": [USER], **options})
    assert [text for _, text in reply.events()][-1] == "[DONE]"
    (request,) = gateway.orchestrator.requests
    assert (request.stream, request.body["messages"], request.body["tools"]) == (True, RENDERED, [tool])
    assert request.requirements == {"chat", "tools", "json_object"}


async def test_decision_and_header_tell_name_and_version_and_live_tests_leave_it_alone() -> None:
    gateway, reply = await asked(FIRST)
    (routing,) = gateway.orchestrator.routings
    assert (routing.prompt, routing.can_be_tested) == (PromptTag(name="sense", version=1), False)
    assert reply.headers["x-neuroforge-prompt"] == "sense@1"


@pytest.mark.parametrize(
    ("body", "status", "param", "told"),
    [
        ({"model": "prompt:sens"}, 404, "model", "there is no prompt 'sens'; there are: sense"),
        ({"model": "prompt:sense@staging"}, 404, "model", "'sense' has no alias 'staging'; it has production"),
        ({"model": "prompt:sense@2"}, 404, "model", "'sense' has no version 2; it has 1"),
        ({"model": "prompt:"}, 400, "model", "'' names no prompt"),
        ({"model": "prompt:a b@c"}, 400, "model", "'a b@c' names no prompt"),
        (
            {"model": "small", "neuroforge": {"prompt": {"name": "sens"}}},
            404,
            "neuroforge.prompt.name",
            "there is no prompt 'sens'",
        ),
        ({"model": "small", "neuroforge": {"prompt": {}}}, 400, "neuroforge.prompt.name", "Missing required"),
        (
            {"model": "small", "neuroforge": {"prompt": {"name": "sense", "alias": "a", "version": 1}}},
            400,
            "neuroforge.prompt.version",
            "give one of alias and version",
        ),
        (
            {"model": "prompt:sense@1", "neuroforge": {"prompt": {"version": 2}}},
            400,
            "neuroforge.prompt.version",
            "names the prompt already",
        ),
        (
            {"neuroforge": {"prompt": {"variables": {"query": "x", "odd": "y"}}}},
            400,
            "neuroforge.prompt.variables",
            "does not take odd; its variables: query",
        ),
        ({"messages": []}, 400, "neuroforge.prompt.variables", "lacks query; its variables: query"),
        (
            {"neuroforge": {"prompt": {"variables": {"query": ["x"]}}}},
            400,
            "neuroforge.prompt.variables.query",
            "Input should be",
        ),
        ({"model": "small", "messages": []}, 400, "messages", "at least one message"),
    ],
)
async def test_what_cannot_be_put_is_refused_and_told(body: JsonObject, status: int, param: str, told: str) -> None:
    found_status, found_param, message = await refused(FIRST, **body)
    assert (found_status, found_param) == (status, param)
    assert told in message


async def test_other_routes_take_no_prompts() -> None:
    gateway = Gateway()
    gateway.state.prompts = holding(FIRST)
    async with gateway.running() as client:
        replies = [
            await client.post("/v1/completions", {"model": "prompt:sense", "prompt": "x"}),
            await client.post("/v1/responses", {"model": "prompt:sense", "input": "x"}),
            await client.post("/v1/embeddings", {"model": "prompt:sense", "input": "x"}),
            await client.post("/v1/completions", {"model": "small", "prompt": "x", "neuroforge": {"prompt": {}}}),
        ]
    assert [(one.status, one.error["param"]) for one in replies] == [(400, "model")] * 3 + [(400, "neuroforge.prompt")]


async def test_content_that_is_not_what_was_kept_is_not_served() -> None:
    broken = PromptRelease(**{**dict(FIRST), "content_hash": "0" * 64})
    _, reply = await asked(broken)
    assert reply.status == 500
    assert "its content does not match its hash" in reply.error["message"]


async def test_a_route_question_is_put_by_the_prompt_too() -> None:
    gateway = Gateway()
    gateway.state.prompts = holding(FIRST)
    async with gateway.running() as client:
        reply = await client.post("/v1/route", {"model": "prompt:sense", "messages": [USER]})
    assert reply.status == 200
    assert gateway.tasks.routings[0].body["messages"] == RENDERED


async def test_a_shadow_is_put_beside_for_its_share_of_the_aliass_requests() -> None:
    other = release(("user", "Q: {{ query }}"), version=2, models=("gone", "big"))
    held = holding(FIRST, other, shadow_version=2, shadow_share=1.0)
    gateway, _ = await asked(held)
    shadow = gateway.orchestrator.routings[0].shadow
    assert shadow is not None
    assert shadow.tag == PromptTag(name="sense", version=2, is_shadow=True)
    assert shadow.body["messages"] == [{"role": "user", "content": "Q: why?"}]
    assert shadow.models == ("big",)
    by_version, _ = await asked(held, model="prompt:sense@1")
    assert by_version.orchestrator.routings[0].shadow is None


async def test_a_shadow_that_cannot_be_put_is_left_out_and_counted() -> None:
    other = release(("user", "{{ topic }}"), version=2, variables=("topic",))
    gateway, reply = await asked(holding(FIRST, other, shadow_version=2, shadow_share=1.0), stream=False)
    assert reply.status == 200
    assert gateway.orchestrator.routings[0].shadow is None
    assert gateway.metrics.counts["neuroforge_prompt_shadows_left_out_total"] == 1


CHOOSING = release(("user", "Good? {{ query }}"), labels=("good", "bad"), verbalizer={"good": "A"}, version=2)


async def test_a_prompt_with_labels_is_answered_by_the_most_probable_of_its_words() -> None:
    habits = {"temperature": 0.2, "max_tokens": 5, "stop": ["x"], "seed": 1, "presence_penalty": 0.5}
    gateway, reply = await asked(CHOOSING, **habits)
    (request,), (routing,) = gateway.orchestrator.requests, gateway.orchestrator.routings
    assert reply.status == 200, reply.body
    assert request.labels == ("A", "bad")
    assert request.body == {"messages": [{"role": "user", "content": "Good? why?"}]}
    assert routing.requirements == {"chat", "label_logprobs"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("response_format", {"type": "json_object"}),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ],
)
async def test_a_label_is_no_other_kind_of_answer(field: str, value: Any) -> None:
    status, param, message = await refused(CHOOSING, **{field: value})
    assert (status, param) == (400, field)
    assert message == f"prompt 'sense' version 2 answers with the most probable of its labels: leave {field!r} out"


async def test_a_shadow_with_labels_is_answered_by_them_too() -> None:
    gateway, _ = await asked(holding(FIRST, CHOOSING, shadow_version=2, shadow_share=1.0))
    shadow = gateway.orchestrator.routings[0].shadow
    assert shadow is not None
    assert shadow.labels == ("A", "bad")


@pytest.mark.parametrize("labels", [("good",), ("good", "good"), ("A", "good")])
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="two or more, all of different words"):
        release(("user", "{{ query }}"), labels=labels, verbalizer={"good": "A"})


def test_the_hash_covers_labels_and_text_tells_them() -> None:
    without = release(("user", "Good? {{ query }}"), verbalizer={"good": "A"}, version=2)
    assert without.content_hash != CHOOSING.content_hash
    assert "[answer: the most probable of these]\ngood, bad\n" in text_of(CHOOSING)
