"""OpenAI's body -> the turns that features are read from, and marks by which later turns of it are known again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neuroforge.router.features import EARLIER_CHARS, HEAD_CHARS, N_EARLIER_TURNS, TAIL_CHARS, cap_text

TEXT_KINDS = frozenset({"text", "input_text", "output_text", "refusal"})


def read_turns(body: Any) -> list[str]:
    """Return the texts of the last turns, oldest first, each capped; the last is the one to answer.

    That is the user's last message, even where tools or a begun answer follow it. Of several prompts the first counts.
    Prompts given as token ids have no text: [].
    """
    if not isinstance(body, Mapping):
        return []
    messages = body.get("messages")
    if isinstance(messages, Sequence) and not isinstance(messages, str):
        return _read_messages(messages[-1 - N_EARLIER_TURNS :])
    prompt = body.get("prompt", body.get("input"))
    if isinstance(prompt, Sequence) and not isinstance(prompt, str):
        prompt = prompt[0] if prompt else ""
    return [cap_text(prompt, HEAD_CHARS, TAIL_CHARS)] if isinstance(prompt, str) else []


def mark_prefixes(body: Any) -> list[int]:
    """Return a hash for each beginning of the conversation, the whole of it last; [] without messages.

    Hashes of this process: they are compared here and stored nowhere else.
    """
    messages = body.get("messages") if isinstance(body, Mapping) else None
    if not isinstance(messages, Sequence):
        return []
    marks: list[int] = []
    mark = 0
    for message in messages:
        content = message.get("content")
        said = content if isinstance(content, str) else tuple(_texts_of(content))
        mark = hash((mark, message.get("role"), said, len(message.get("tool_calls") or ())))
        marks.append(mark)
    return marks


def _read_messages(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    roles = [message.get("role") for message in messages]
    last = len(roles) - 1 - roles[::-1].index("user") if "user" in roles else len(roles) - 1
    turns = [_text_of(message.get("content"), EARLIER_CHARS, EARLIER_CHARS) for message in messages]
    if messages:
        del turns[last]
        turns.append(_text_of(messages[last].get("content"), HEAD_CHARS, TAIL_CHARS))
    return turns


def _text_of(content: Any, n_head: int, n_tail: int) -> str:
    text = content if isinstance(content, str) else "\n".join(_texts_of(content))
    return cap_text(text, n_head, n_tail)


def _texts_of(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, Sequence) else ():
        if isinstance(part, Mapping) and part.get("type") in TEXT_KINDS:
            text = part.get("text", part.get("refusal"))
            if isinstance(text, str):
                yield text
