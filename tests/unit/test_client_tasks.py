from collections.abc import Callable, Iterator
from typing import Any

import pytest

from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.tasks import Member, Task, TaskResult
from neuroforge.errors import ModelNotFound, RequestError
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/v1/tasks"
RESULT = TaskResult(task_id="t", mode="consensus", text="42", winner=0, members=(Member(model_id="a", text="42"),))
ASKED = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        state.answer("POST", PATH, Answer(body=RESULT.model_dump_json().encode()))
        yield state


@pytest.mark.parametrize(
    ("send", "body"),
    [
        (
            lambda client: client.task(Task(mode="consensus", messages=tuple(ASKED), n=5), n=7),
            {"mode": "consensus", "messages": ASKED, "n": 7},
        ),
        (lambda client: client.task(messages="Hi", deadline_s=2), {"messages": ASKED, "deadline_s": 2.0}),
        (
            lambda client: client.parallel(["a", "b"], "small", max_tokens=4),
            {"mode": "parallel", "prompts": ["a", "b"], "model": "small", "options": {"max_tokens": 4}},
        ),
        (
            lambda client: client.creative("Hi", 4, "auto:best", temperature=1),
            {"mode": "creative", "messages": ASKED, "n": 4, "model": "auto:best", "options": {"temperature": 1}},
        ),
        (
            lambda client: client.consensus(ASKED, model=["a", "b"]),
            {"mode": "consensus", "messages": ASKED, "models": ["a", "b"]},
        ),
        (lambda client: client.cascade("Hi"), {"mode": "cascade", "messages": ASKED}),
    ],
)
def test_a_task_sends_only_what_differs_from_the_default(
    gateway: Loopback, send: Callable[[Client], TaskResult], body: dict[str, Any]
) -> None:
    with Client(gateway.url) as client:
        assert send(client) == RESULT
    assert gateway.received[0].json == body


def test_a_task_that_is_none_is_refused_here_and_names_the_field(gateway: Loopback) -> None:
    with Client(gateway.url) as client:
        with pytest.raises(RequestError, match=r"^n: ") as caught:
            client.consensus("Hi", n=17)
        with pytest.raises(RequestError, match="mode 'parallel' needs prompts"):
            client.task(mode="parallel")
    assert (caught.value.context["param"], gateway.received) == ("n", [])


def test_the_servers_refusal_is_raised(gateway: Loopback) -> None:
    gateway.answer_json("POST", PATH, envelope("model_not_found", param="models[1]"), 404)
    with Client(gateway.url) as client, pytest.raises(ModelNotFound) as caught:
        client.creative("Hi", model=["a", "x"])
    assert caught.value.context["param"] == "models[1]"


async def test_the_async_client_sends_the_same(gateway: Loopback) -> None:
    async with AsyncClient(gateway.url) as client:
        answers = [
            await client.task(messages="Hi"),
            await client.parallel(["a"]),
            await client.creative("Hi", 2),
            await client.consensus("Hi", 2),
            await client.cascade("Hi", ["a", "b"], seed=1),
        ]
    assert answers == [RESULT] * 5
    assert [one.json for one in gateway.received] == [
        {"messages": ASKED},
        {"mode": "parallel", "prompts": ["a"]},
        {"mode": "creative", "messages": ASKED, "n": 2},
        {"mode": "consensus", "messages": ASKED, "n": 2},
        {"mode": "cascade", "messages": ASKED, "models": ["a", "b"], "options": {"seed": 1}},
    ]
