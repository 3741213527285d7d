"""question -> streamed answer -> next question; the history lives in memory only (docs/decisions/071)."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

import typer

from cluster.cli.failures import explain
from cluster.cli.output import dim
from neuroforge.client import Client
from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.errors import NeuroForgeError

HELP = "/model NAME  /system TEXT  /clear  /help  /exit; Ctrl-C stops an answer, Ctrl-D leaves"


class Answer(Contract):
    """What came back."""

    model: str | None
    content: str
    finish_reason: str | None
    was_stopped: bool
    """By Ctrl-C."""
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    ttft_s: float | None
    latency_s: float

    @property
    def tokens_per_s(self) -> float | None:
        """After the first token; None when the server told no usage or there was only one."""
        if self.ttft_s is None or not self.n_completion_tokens or self.n_completion_tokens < 2:
            return None
        return (self.n_completion_tokens - 1) / max(self.latency_s - self.ttft_s, 1e-6)


@dataclass
class Conversation:
    """Who is asked, and what was said."""

    client: Client
    model: str
    system: str | None
    sampling: dict[str, Any]
    turns: list[JsonObject] = field(default_factory=list)

    def messages(self, question: str) -> list[JsonObject]:
        """Return all that the model should see."""
        head = [{"role": "system", "content": self.system}] if self.system else []
        return [*head, *self.turns, {"role": "user", "content": question}]

    def remember(self, question: str, answer: str) -> None:
        """Keep a turn; a question without an answer is dropped, so that it does not come back unanswered."""
        if answer:
            self.turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def answer_once(conversation: Conversation, question: str, is_quiet: bool = False) -> Answer:
    """Ask, write the answer as it comes (unless quiet) and return it; Ctrl-C ends it early."""
    started_s = time.monotonic()
    parts: list[str] = []
    last: JsonObject = {}
    usage: JsonObject = {}
    ttft_s, was_stopped = None, False
    stream = conversation.client.stream(conversation.messages(question), conversation.model, **conversation.sampling)
    try:
        for chunk in stream:
            usage = chunk.get("usage") or usage
            last = _merged(last, chunk)
            if text := _text_of(chunk):
                ttft_s = ttft_s if ttft_s is not None else time.monotonic() - started_s
                parts.append(text)
                if not is_quiet:
                    sys.stdout.write(text)
                    sys.stdout.flush()
    except KeyboardInterrupt:
        was_stopped = True
    except NeuroForgeError:
        if parts and not is_quiet:
            typer.echo("")  # the error's line must not continue the answer's
        raise
    finally:
        stream.close()
    answer = Answer(
        model=last.get("model"),
        content="".join(parts),
        finish_reason=last.get("finish_reason"),
        was_stopped=was_stopped,
        n_prompt_tokens=usage.get("prompt_tokens"),
        n_completion_tokens=usage.get("completion_tokens"),
        ttft_s=ttft_s,
        latency_s=time.monotonic() - started_s,
    )
    if not is_quiet:
        typer.echo("" if answer.content.endswith("\n") else "\n", nl=False)
        typer.echo(dim(summary(answer)), err=True)
    return answer


def converse(conversation: Conversation) -> None:
    """Ask until Ctrl-D or /exit; an error ends the turn, not the conversation."""
    import readline  # noqa: F401 - gives input() its history and editing

    typer.echo(dim(f"{conversation.model} at {conversation.client.base_url}; /help for commands"), err=True)
    while True:
        try:
            line = input(">>> ").strip()
        except EOFError:
            typer.echo("")
            return
        except KeyboardInterrupt:
            typer.echo(dim("\nCtrl-D leaves"), err=True)
            continue
        if line == "/exit":
            return
        if line.startswith("/"):
            _obey(conversation, line)
        elif line:
            _take_turn(conversation, line)


def summary(answer: Answer) -> str:
    """Return `model · 12 tokens · 18.2 tok/s · first after 0.31 s`."""
    words = [answer.model or "unknown model"]
    if answer.n_completion_tokens is not None:
        words.append(f"{answer.n_completion_tokens} tokens")
    if answer.tokens_per_s is not None:
        words.append(f"{answer.tokens_per_s:.1f} tok/s")
    if answer.ttft_s is not None:
        words.append(f"first after {answer.ttft_s:.2f} s")
    if answer.finish_reason == "length":
        words.append("cut at the token limit")
    if answer.was_stopped:
        words.append("stopped")
    return " · ".join(words)


def _take_turn(conversation: Conversation, question: str) -> None:
    try:
        answer = answer_once(conversation, question)
    except NeuroForgeError as error:
        typer.echo(explain(error), err=True)
        return
    conversation.remember(question, answer.content)


def _obey(conversation: Conversation, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word == "/model" and rest:
        conversation.model = rest.strip()
    elif word == "/system":
        conversation.system = rest.strip() or None
    elif word == "/clear":
        conversation.turns.clear()
    else:
        typer.echo(dim(HELP), err=True)


def _text_of(chunk: JsonObject) -> str:
    choices = chunk.get("choices") or []
    return str((choices[0].get("delta") or {}).get("content") or "") if choices else ""


def _merged(last: JsonObject, chunk: JsonObject) -> JsonObject:
    choices = chunk.get("choices") or []
    reason = choices[0].get("finish_reason") if choices else None
    return {
        "model": chunk.get("model") or last.get("model"),
        "finish_reason": reason or last.get("finish_reason"),
    }
