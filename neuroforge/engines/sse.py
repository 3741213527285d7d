"""Bytes of an event stream, cut anywhere -> the data of each event."""

from neuroforge.errors import EngineError

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""A line longer than this is no answer of a model, but a server gone mad: it must not fill our memory."""


class SseParser:
    """Keeps what is not yet a whole line, as bytes: a cut inside a multi-byte character is no special case.

    Lines end with LF or CRLF. A lone CR, which the standard also allows, no OpenAI-compatible server sends.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that this piece completed; comments and other fields are dropped.

        Raises:
            EngineError: A single line is longer than MAX_EVENT_BYTES.
        """
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EngineError(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
        events: list[bytes] = []
        for line in lines:
            text = line[:-1] if line.endswith(b"\r") else line
            if not text:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data.clear()
            elif text.startswith(b"data:"):
                self._data.append(text[6:] if text.startswith(b"data: ") else text[5:])
        return events

    def close(self) -> list[bytes]:
        """Return a last event that lacks its empty line: the standard drops it, some servers end that way."""
        return self.feed(b"\n\n")
