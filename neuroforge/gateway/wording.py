"""An answer in a prompt's words for labels -> the same answer with the labels, whole or streamed."""

from collections.abc import Mapping
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.datasets.words import could_become_word, label_of
from neuroforge.gateway.render import StreamRenderer


class LabelRenderer:
    """Puts labels for words before another renderer sees the answer.

    A streamed answer is held back as long as it may still turn out to be a word: until it ends, or says something
    else, of which then nothing is changed. So a stream says what the whole answer would.
    """

    def __init__(self, inner: StreamRenderer, verbalizer: Mapping[str, str]) -> None:
        self._inner = inner
        self._verbalizer = verbalizer
        self._held: dict[int, list[JsonObject]] = {}
        """Chunks of each choice that is undecided, by its index."""
        self._is_decided: set[int] = set()

    def whole(self, body: JsonObject, model_id: str) -> JsonObject:
        """The body with labels."""
        choices = [self._with_label(choice) for choice in body.get("choices") or []]
        return self._inner.whole({**body, "choices": choices}, model_id)

    def begin(self, model_id: str) -> bytes:
        """As the other."""
        return self._inner.begin(model_id)

    def chunk(self, body: JsonObject) -> bytes:
        """What is decided by now; may be empty."""
        choices = body.get("choices") or []
        if not choices:
            return self._inner.chunk(body)
        return b"".join(self._take({**body, "choices": [choice]}) for choice in choices)

    def end(self) -> bytes:
        """What was held, then as the other."""
        return b"".join(self._decide(index) for index in list(self._held)) + self._inner.end()

    def fail(self, envelope: JsonObject) -> bytes:
        """What was held, as the model said it, then as the other."""
        held = [chunk for chunks in self._held.values() for chunk in chunks]
        return b"".join(map(self._inner.chunk, held)) + self._inner.fail(envelope)

    def _take(self, chunk: JsonObject) -> bytes:
        (choice,) = chunk["choices"]
        index = choice.get("index", 0)
        if index in self._is_decided:
            return self._inner.chunk(chunk)
        held = self._held.setdefault(index, [])
        held.append(chunk)
        is_over = choice.get("finish_reason") is not None
        if is_over or not could_become_word(_said(held), self._verbalizer):
            return self._decide(index)
        return b""

    def _decide(self, index: int) -> bytes:
        held = self._held.pop(index)
        self._is_decided.add(index)
        label = label_of(_said(held), self._verbalizer)
        if label is not None:
            held = _saying(held, label)
        return b"".join(map(self._inner.chunk, held))

    def _with_label(self, choice: JsonObject) -> JsonObject:
        message: JsonObject = choice.get("message") or {}
        content = message.get("content")
        label = label_of(content, self._verbalizer) if isinstance(content, str) else None
        return choice if label is None else {**choice, "message": {**message, "content": label}}


def _said(chunks: list[JsonObject]) -> str:
    return "".join(_content(chunk) or "" for chunk in chunks)


def _content(chunk: JsonObject) -> str | None:
    delta: dict[str, Any] = chunk["choices"][0].get("delta") or {}
    content = delta.get("content")
    return content if isinstance(content, str) else None


def _saying(chunks: list[JsonObject], text: str) -> list[JsonObject]:
    """The chunks with this text in the first that says anything, and none in the others."""
    found = []
    for chunk in chunks:
        if _content(chunk):
            (choice,) = chunk["choices"]
            chunk = {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}
            text = ""
        found.append(chunk)
    return found
