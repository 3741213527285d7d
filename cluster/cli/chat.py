"""`chat`: a conversation in the terminal, or one answer for a script."""

import sys
from typing import Annotated

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, shared


def chat(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model id; auto lets the router choose.")] = "auto",
    prompt: Annotated[
        str | None, typer.Argument(help="One question; without it a conversation, or what is piped in.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="Instructions before the conversation.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", min=0.0, max=2.0)] = None,
    as_json: JsonOption = False,
) -> None:
    """Talk to a model; Ctrl-C stops the answer, Ctrl-D leaves."""
    from cluster.cli.conversation import Conversation, answer_once, converse

    question = prompt
    if question is None and not sys.stdin.isatty():
        question = sys.stdin.buffer.read().decode("utf-8", errors="replace").strip()
        if not question:
            raise typer.BadParameter("nothing was piped in", param_hint="PROMPT")
    if question is None and as_json:
        raise typer.BadParameter("--json needs a PROMPT or piped text", param_hint="--json")
    sampling = {"max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in sampling.items() if value is not None}
    with shared(context).client(timeout_s=600.0) as client:
        conversation = Conversation(client, model, system, given)
        if question is None:
            converse(conversation)
            return
        answer = answer_once(conversation, question, is_quiet=as_json)
    if as_json:
        print_json(answer)
    if answer.was_stopped:
        raise typer.Exit(130)
