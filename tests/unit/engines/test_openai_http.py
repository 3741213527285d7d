from typing import Any

import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.contracts.models import EngineKind
from neuroforge.engines.openai_http import OPENAI_HTTP_CAPABILITIES, UpstreamDialect
from neuroforge.errors import EngineError, EngineUnavailable, UnsupportedParameter
from tests.fakes import endpoint

UPSTREAM = endpoint("remote", engine=EngineKind.OPENAI_HTTP, context_length=2048)
MESSAGES = PromptText(messages=({"role": "user", "content": "hello"},))


class Server:
    """Answers by path, and notes what was asked."""

    def __init__(self, **answer_by_path: JsonObject | Exception) -> None:
        self.answers = {f"/{path.replace('_', '-')}": answer for path, answer in answer_by_path.items()}
        self.paths: list[str] = []

    async def post(self, path: str, body: JsonObject) -> JsonObject:
        self.paths.append(path)
        answer = self.answers.get(path, EngineUnavailable("not there", status=404))
        if isinstance(answer, Exception):
            raise answer
        return answer


async def count(server: Server, prompt: PromptText) -> tuple[int, int | None]:
    counted = await UpstreamDialect().count_tokens(UPSTREAM, prompt, server.post)
    return counted.n_tokens, counted.context_length


@pytest.mark.parametrize("answer", [{"tokens": [1, 2, 3]}, {"count": 3, "tokens": [1, 2, 3], "max_model_len": 9}])
async def test_text_is_counted_by_tokenize(answer: dict[str, Any]) -> None:
    assert await count(Server(tokenize=answer), PromptText(text="hello")) == (3, 2048)


async def test_messages_are_counted_by_a_server_that_renders_them() -> None:
    server = Server(tokenize={"count": 9})
    assert await count(server, MESSAGES) == (9, 2048)
    assert server.paths == ["/tokenize"]


async def test_messages_are_rendered_first_where_tokenize_takes_text_only() -> None:
    server = Server(tokenize={"tokens": [1, 2]}, apply_template={"prompt": "<user>hello"})
    assert await count(server, MESSAGES) == (2, 2048)
    assert server.paths == ["/tokenize", "/apply-template", "/tokenize"]


async def test_a_server_without_tokenize_refuses() -> None:
    with pytest.raises(UnsupportedParameter, match="cannot count tokens"):
        await count(Server(), MESSAGES)


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable):
        await count(Server(tokenize=EngineUnavailable("down", status=503)), MESSAGES)


async def test_an_unknown_form_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="unknown form"):
        await count(Server(tokenize={"ids": 3}), PromptText(text="hello"))


async def test_labels_and_statistics_are_refused() -> None:
    dialect = UpstreamDialect()
    with pytest.raises(UnsupportedParameter):
        await dialect.label_logprobs(UPSTREAM, LabelRequest(prompt=MESSAGES, labels=("A",)), Server().post)
    with pytest.raises(UnsupportedParameter):
        await dialect.stats(UPSTREAM, get_nothing)


def test_label_scores_are_not_among_the_capabilities() -> None:
    assert "label_logprobs" not in OPENAI_HTTP_CAPABILITIES


async def get_nothing(path: str) -> str:
    raise AssertionError(path)
