"""Prompts on a real fleet: promoted, served by name within a second, taken back, and MLflow down."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from neuroforge.client import Client
from neuroforge.contracts.prompts import PromptEntry, PromptMessage, PromptRelease
from neuroforge.errors import StorageError
from tests.cluster.fleet import until
from tests.server import RunningServer

MODEL = "smollm2-135m-instruct"
SQLITE_HEAD_BYTES = 100


def release(name: str, text: str) -> PromptRelease:
    messages = (PromptMessage(role="system", content="Be brief."), PromptMessage(role="user", content=text))
    return PromptRelease(name=name, messages=messages, models=(MODEL,), reason=f"says {text!r}")


def ask(server: RunningServer, model: str) -> httpx2.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    headers = {"authorization": f"Bearer {server.api_key}"}
    return httpx2.post(f"{server.openai_url}/chat/completions", json=body, headers=headers, timeout=60)


def answered_by(server: RunningServer, model: str) -> str:
    """The prompt and version that put the request."""
    answer = ask(server, model)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-neuroforge-prompt"]


@contextmanager
def broken(server: RunningServer) -> Iterator[None]:
    """MLflow's database is no database: nothing can be read or written in it. One that is held MLflow waits for."""
    with (server.home / "mlflow.db").open("r+b", buffering=0) as file:
        head = file.read(SQLITE_HEAD_BYTES)
        try:
            file.seek(0)
            file.write(b"\xff" * SQLITE_HEAD_BYTES)
            yield
        finally:
            file.seek(0)
            file.write(head)


@pytest.fixture
def admin(gateway: RunningServer) -> Iterator[Client]:
    with gateway.admin() as client:
        yield client


def test_a_promotion_is_served_within_a_second_recorded_and_taken_back(gateway: RunningServer, admin: Client) -> None:
    assert ask(gateway, "prompt:greet").status_code == 404
    first = admin.prompts.promote(release("greet", "One: {{ query }}"))
    promoted_s = time.monotonic()
    assert (first.release.version, first.release.tracked_as) == (1, "prompts:/greet/1")
    until(lambda: ask(gateway, "prompt:greet").status_code == 200, "it is served", 1)
    assert time.monotonic() - promoted_s < 60  # the answer itself may take its time

    admin.prompts.promote(release("greet", "Two: {{ query }}"))
    answer = ask(gateway, "prompt:greet@production")
    assert (answer.headers["x-neuroforge-prompt"], answer.headers["x-neuroforge-model"]) == ("greet@2", MODEL)
    decision_id = answer.headers["x-neuroforge-decision"].partition(";")[0]
    recorded = httpx2.get(
        f"{gateway.openai_url}/decisions/{decision_id}",
        headers={"authorization": f"Bearer {gateway.api_key}"},
        timeout=60,
    ).json()
    assert recorded["decision"]["prompt"] == {"name": "greet", "version": 2, "is_shadow": False}
    assert "Two" not in str(recorded)
    assert answered_by(gateway, "prompt:greet@1") == "greet@1"

    assert gateway.cli("prompts", "rollback", "greet").returncode == 0
    until(lambda: answered_by(gateway, "prompt:greet") == "greet@1", "the first is served again", 2)


def test_a_program_goes_into_service_and_out_again_by_commands(gateway: RunningServer, tmp_path: Path) -> None:
    program, exported = tmp_path / "program.yaml", tmp_path / "exported.yaml"
    for text in ("Answer.", "Answer in one word."):
        program.write_text(f"instruction: {text}\n")
        promoted = gateway.cli("prompts", "promote", str(program), "--name", "byhand", "--model", MODEL)
        assert promoted.returncode == 0, promoted.stderr
    assert answered_by(gateway, "prompt:byhand") == "byhand@2"
    listed = gateway.cli("prompts", "list", "byhand").stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [["byhand", "2", "live"], ["byhand", "1", "superseded"]]
    assert "+Answer in one word." in gateway.cli("prompts", "diff", "byhand@1").stdout.splitlines()
    assert gateway.cli("prompts", "export", "byhand@1", "--out", str(exported)).returncode == 0
    again = gateway.cli("prompts", "promote", str(exported), "--alias", "staging", "--json")
    assert again.returncode == 0, again.stderr
    entry = PromptEntry.model_validate_json(again.stdout)
    assert (entry.release.version, entry.aliases, entry.release.messages[0].content) == (
        3,
        ("staging",),
        "Answer.\n\n{{ query }}",
    )


def test_a_prompt_with_labels_answers_with_the_most_probable_whole_and_streamed(
    gateway: RunningServer, admin: Client
) -> None:
    labels, question = ("positive", "negative"), "The film was dreadful."
    message = PromptMessage(role="user", content="Is the text positive or negative?\n\n{{ query }}")
    admin.prompts.promote(PromptRelease(name="mood", messages=(message,), labels=labels, models=(MODEL,), reason="r"))
    put = message.content.replace("{{ query }}", question)
    scores = admin.label_logprobs([{"role": "user", "content": put}], labels, MODEL).scores
    expected = max(scores, key=lambda one: one.logprob).label

    whole = admin.chat(question, model="prompt:mood", max_tokens=1)
    streamed = list(admin.stream(question, model="prompt:mood"))

    assert whole["choices"][0]["message"]["content"] == expected
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in streamed if one["choices"]) == expected
    assert whole["usage"]["prompt_tokens"] > 10


def test_a_shadow_is_asked_beside_and_its_answer_goes_to_nobody(gateway: RunningServer, admin: Client) -> None:
    admin.prompts.promote(release("beside", "One: {{ query }}"))
    admin.prompts.promote(release("beside", "Two: {{ query }}"), shadow_share=1.0)

    assert answered_by(gateway, "prompt:beside") == "beside@1"
    until(lambda: admin.prompts.get("beside", 2).shadows.n_requests == 1, "the shadow was asked", 30)
    (shadow, live) = admin.prompts.list("beside")
    assert (shadow.state, shadow.answers.n_requests, live.answers.n_requests) == ("shadow", 0, 1)
    assert shadow.shadows.n_prompt_tokens > 0
    assert admin.prompts.promote_version("beside", 2).state == "live"
    until(lambda: answered_by(gateway, "prompt:beside") == "beside@2", "the shadow answers", 2)


def test_with_mlflow_down_prompts_are_served_and_nothing_is_promoted(gateway: RunningServer, admin: Client) -> None:
    admin.prompts.promote(release("steady", "One: {{ query }}"))
    with broken(gateway):
        with pytest.raises(StorageError, match="MLflow"):
            admin.prompts.promote(release("steady", "Two: {{ query }}"))
        assert answered_by(gateway, "prompt:steady") == "steady@1"
        assert [one.release.version for one in admin.prompts.list("steady")] == [1]
    assert admin.prompts.promote(release("steady", "Two: {{ query }}")).release.version == 2
