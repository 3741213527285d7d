"""vLLM's side is played by a tokenizer of one token a character and a model that likes every token the same."""

from typing import Any

import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.contracts.models import EngineKind, EngineStats
from neuroforge.engines.vllm_dialect import VllmDialect, read_stats
from neuroforge.errors import ContextLengthExceeded, EngineError, EngineUnavailable, RequestError
from tests.fakes import endpoint

CONTEXT_LENGTH = 300
ENDPOINT = endpoint("m", engine=EngineKind.VLLM, served_name="served")
MERGE = {"ab": 500}
"""The one pair that becomes a token of its own."""


class CharacterVllm:
    """PostJson of a vLLM whose tokens are characters; a chat template puts '<' before and '>' after."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, JsonObject]] = []

    async def __call__(self, path: str, body: JsonObject) -> JsonObject:
        self.calls.append((path, body))
        assert body["model"] == "served"
        if path == "/tokenize":
            text = body["prompt"] if "prompt" in body else f"<{body['messages'][0]['content']}>"
            tokens = self._tokens(text)
            return {"count": len(tokens), "tokens": tokens, "max_model_len": CONTEXT_LENGTH}
        if path == "/detokenize":
            return {"prompt": "".join("ab" if one == 500 else chr(one) for one in body["tokens"])}
        assert path == "/v1/completions"
        return {"choices": [self._choice(index, one, body) for index, one in enumerate(body["prompt"])]}

    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]

    def _tokens(self, text: str) -> list[int]:
        joined, tokens = text, []
        while joined:
            pair = joined[:2]
            tokens.append(MERGE.get(pair, ord(joined[0])))
            joined = joined[2:] if pair in MERGE else joined[1:]
        return tokens

    def _choice(self, index: int, prompt: list[int], body: JsonObject) -> JsonObject:
        if "prompt_logprobs" in body:
            return {"index": index, "prompt_logprobs": [None, *({str(one): {"logprob": -1.0}} for one in prompt[1:])]}
        told = {f"token_id:{one}": -1.0 for one in body["logprob_token_ids"]}
        return {"index": index, "logprobs": {"top_logprobs": [told]}}


def ask(text: str, *labels: str) -> LabelRequest:
    return LabelRequest(prompt=PromptText(text=text), labels=labels)


async def scores(post: CharacterVllm, request: LabelRequest) -> list[tuple[str, float, int]]:
    answer = await VllmDialect().label_logprobs(ENDPOINT, request, post)
    return [(one.label, one.logprob, one.n_tokens) for one in answer.scores]


async def test_tokens_of_messages_are_counted_with_their_tools() -> None:
    post = CharacterVllm()
    tools: tuple[JsonObject, ...] = ({"type": "function"},)
    prompt = PromptText(messages=({"role": "user", "content": "hi"},), tools=tools)
    counted = await VllmDialect().count_tokens(ENDPOINT, prompt, post)
    assert (counted.n_tokens, counted.context_length) == (4, CONTEXT_LENGTH)
    assert post.calls[0][1]["tools"] == list(tools)


async def test_labels_are_scored_in_the_order_asked_and_repeats_too() -> None:
    found = await scores(CharacterVllm(), ask("p", "yes", "n", "yes"))
    assert found == [("yes", -3.0, 3), ("n", -1.0, 1), ("yes", -3.0, 3)]


async def test_a_long_prompt_is_scored_step_by_step_alike() -> None:
    post = CharacterVllm()
    assert await scores(post, ask("p" * 280, "yes", "n")) == [("yes", -3.0, 3), ("n", -1.0, 1)]
    assert not any("prompt_logprobs" in body for _, body in post.calls)


async def test_a_label_that_merges_with_the_prompt_is_its_own_tokens() -> None:
    """'xa' + 'b' would be cut as x, ab: another prompt than the one that was given."""
    assert await scores(CharacterVllm(), ask("xa", "b")) == [("b", -1.0, 1)]


async def test_the_template_of_messages_is_rendered_once_for_all_labels() -> None:
    post = CharacterVllm()
    request = LabelRequest(prompt=PromptText(messages=({"role": "user", "content": "hi"},)), labels=("y", "n"))
    answer = await VllmDialect().label_logprobs(ENDPOINT, request, post)
    assert answer.n_prompt_tokens == 4
    assert post.paths().count("/detokenize") == 1
    joint = [body["prompt"] for path, body in post.calls if path == "/tokenize" and "prompt" in body]
    assert joint == ["<hi>y", "<hi>n"]


async def test_a_label_without_tokens_is_refused() -> None:
    with pytest.raises(RequestError, match=r"labels\[1\] has no tokens"):
        await scores(CharacterVllm(), ask("p", "yes", ""))


async def test_a_prompt_without_tokens_is_refused() -> None:
    with pytest.raises(RequestError, match="prompt without tokens"):
        await scores(CharacterVllm(), ask("", "yes"))


async def test_prompt_and_label_must_fit_with_the_token_that_is_generated() -> None:
    with pytest.raises(ContextLengthExceeded) as caught:
        await scores(CharacterVllm(), ask("p" * (CONTEXT_LENGTH - 3), "yes"))
    assert caught.value.context["n_prompt_tokens"] == CONTEXT_LENGTH
    assert caught.value.context["context_length"] == CONTEXT_LENGTH


@pytest.mark.parametrize("answer", [{}, {"tokens": "abc", "max_model_len": 5}, {"tokens": [1]}])
async def test_an_unknown_form_of_tokenize_is_an_engine_error(answer: dict[str, Any]) -> None:
    async def post(path: str, body: JsonObject) -> JsonObject:
        return answer

    with pytest.raises(EngineError, match="/tokenize answers in an unknown form"):
        await VllmDialect().count_tokens(ENDPOINT, PromptText(text="x"), post)


async def test_an_unknown_form_of_scores_is_an_engine_error() -> None:
    class Foreign(CharacterVllm):
        def _choice(self, index: int, prompt: list[int], body: JsonObject) -> JsonObject:
            return {"index": index, "logprobs": None}

    with pytest.raises(EngineError, match="unknown form"):
        await scores(Foreign(), ask("p", "y"))


async def test_a_failing_label_raises_its_own_error() -> None:
    class Failing(CharacterVllm):
        async def __call__(self, path: str, body: JsonObject) -> JsonObject:
            if body.get("prompt") == "py":
                raise EngineUnavailable("m: gone")
            return await super().__call__(path, body)

    with pytest.raises(EngineUnavailable, match="gone"):
        await scores(Failing(), ask("p", "y", "n"))


METRICS = """# HELP vllm:num_requests_running Number of requests
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 48.0
vllm:generation_tokens_total{engine="0",model_name="m"} 10.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 1.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 2.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 4.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 4.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 2.0
vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 0.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="m"} 0.0
"""


def test_statistics_are_read_from_the_metrics() -> None:
    assert read_stats(METRICS, "1000", slots_total=4) == EngineStats(
        slots_total=4,
        slots_busy=3,
        queued=2,
        n_requests=3,
        n_prompt_tokens=48,
        n_completion_tokens=10,
        ttft_s=0.5,
        s_per_token=None,
        resident_bytes=1000,
    )


async def test_slots_are_those_of_one_replica() -> None:
    async def get_text(path: str) -> str:
        return {"/metrics": METRICS, "/resident_bytes": "7"}[path]

    two = endpoint("m", engine=EngineKind.VLLM, parallel=8, n_replicas=2)
    assert (await VllmDialect().stats(two, get_text)).slots_total == 4
