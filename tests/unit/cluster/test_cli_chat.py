import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.conversation import Answer, Conversation, answer_once, converse, summary
from neuroforge.client import Client
from tests.unit.cluster.cli_runner import Cli
from tests.unit.loopback import CHAT, Loopback, chunk, data, envelope, loopback

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def cli(tmp_path: Path, gateway: Loopback, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


@pytest.fixture
def conversation(gateway: Loopback) -> Iterator[Conversation]:
    with Client(gateway.url) as client:
        yield Conversation(client, "auto", system=None, sampling={})


def answers(gateway: Loopback, *texts: str, model: str = "small", finish_reason: str = "stop") -> None:
    chunks = [data(chunk(text, model=model)) for text in texts]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}], "model": model, "usage": USAGE}
    gateway.stream(CHAT, *chunks, data(end), data("[DONE]"))


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    waiting = iter(lines)

    def read(_prompt: str = "") -> str:
        line = next(waiting, EOFError)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", read)


def test_one_question_is_answered(cli: Cli, gateway: Loopback) -> None:
    answers(gateway, "Hel", "lo")
    result = cli("chat", "small", "Hi", "--system", "Be brief.", "--max-tokens", "5", "--temperature", "0.5")
    assert (result.exit_code, result.stdout) == (0, "Hello\n")
    assert result.stderr.startswith("small · 2 tokens · ")
    sent = gateway.received[0].json
    assert [one["role"] for one in sent["messages"]] == ["system", "user"]
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("small", 5, 0.5)


def test_what_is_piped_in_is_the_question(cli: Cli, gateway: Loopback) -> None:
    answers(gateway, "ok\n")
    assert cli("chat", piped="What is this?\n").stdout == "ok\n"
    assert gateway.received[0].json["messages"] == [{"role": "user", "content": "What is this?"}]
    assert cli("chat", piped="").exit_code == 2


def test_json_is_one_document(cli: Cli, gateway: Loopback) -> None:
    answers(gateway, "Hello", finish_reason="length")
    found = cli.json("chat", "auto", "Hi")
    assert (found["model"], found["content"], found["finish_reason"]) == ("small", "Hello", "length")
    assert (found["n_prompt_tokens"], found["n_completion_tokens"]) == (3, 2)


def test_an_error_is_one_line(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", CHAT, envelope("model_not_found", "no model 'x'; there are: small"), 404)
    result = cli("chat", "x", "Hi")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no model 'x'; there are: small\n")


def test_an_answer_that_breaks_off_ends_its_line(cli: Cli, gateway: Loopback) -> None:
    gateway.stream(CHAT, data(chunk("Hel")), data(envelope("engine_error", "the replica died")))
    result = cli("chat", "small", "Hi")
    assert (result.exit_code, result.stdout) == (1, "Hel\n")
    assert "the replica died" in result.stderr


def test_a_conversation_remembers(
    conversation: Conversation, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(gateway, "Hello")
    typed(monkeypatch, "Hi", "", "And?")
    converse(conversation)
    roles = [(one["role"], one["content"]) for one in gateway.received[1].json["messages"]]
    assert roles == [("user", "Hi"), ("assistant", "Hello"), ("user", "And?")]


def test_commands_change_the_conversation(
    conversation: Conversation, gateway: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(gateway, "Hello")
    typed(monkeypatch, "Hi", "/clear", "/model small", "/system Be kind.", "/what", "Again", "/exit", "never")
    converse(conversation)
    last = gateway.received[-1].json
    assert last["model"] == "small"
    assert [one["content"] for one in last["messages"]] == ["Be kind.", "Again"]
    assert len(gateway.received) == 2
    assert "/clear" in capsys.readouterr().err


def test_an_error_ends_the_turn_only(
    conversation: Conversation, gateway: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answer_json("POST", CHAT, envelope("model_overloaded", "busy"), 429)
    typed(monkeypatch, "Hi", KeyboardInterrupt, "Hi")
    converse(conversation)
    assert len(gateway.received) == 2
    assert conversation.turns == []
    assert capsys.readouterr().err.count("error: busy") == 2


def test_ctrl_c_stops_the_answer_and_frees_the_slot(
    conversation: Conversation, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = threading.Event()
    gateway.stream(CHAT, data(chunk("Hel", model="small")), data(chunk("lo")), waits_for=limit)

    write = sys.stdout.write

    def interrupt(text: str) -> int:
        if text == "Hel":
            raise KeyboardInterrupt
        return write(text)

    monkeypatch.setattr(sys.stdout, "write", interrupt)
    stopped = answer_once(conversation, "Hi")
    assert (stopped.was_stopped, stopped.content, stopped.model) == (True, "Hel", "small")
    assert gateway.hung_up.wait(5)
    limit.set()


def test_the_summary_leaves_out_what_is_not_known() -> None:
    values = {"model": None, "content": "", "finish_reason": None, "n_prompt_tokens": None, "n_completion_tokens": None}
    nothing = Answer.model_validate({**values, "was_stopped": True, "ttft_s": None, "latency_s": 1.0})
    assert summary(nothing) == "unknown model · stopped"
    known = {"model": "m", "finish_reason": "length", "n_completion_tokens": 11, "ttft_s": 0.5}
    full = Answer.model_validate({**values, **known, "was_stopped": False, "latency_s": 1.5})
    assert summary(full) == "m · 11 tokens · 10.0 tok/s · first after 0.50 s · cut at the token limit"
