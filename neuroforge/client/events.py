"""Lines of a server-sent event stream -> decoded events; keepalive comments are dropped, errors are raised."""

import json
from dataclasses import dataclass

from neuroforge.client.failures import error_in_event
from neuroforge.contracts.base import JsonObject
from neuroforge.errors import StreamInterrupted

_LAST_TYPES = ("response.completed", "response.failed", "response.incomplete")


@dataclass
class EventReader:
    """Feed lines in order; `is_over` tells that the server ended the stream by its own word."""

    is_over: bool = False

    def feed(self, line: bytes) -> JsonObject | None:
        """Return the event that the line carries, or None for a comment, an event name, a blank line or the end mark.

        Raises:
            NeuroForgeError: The event is an error: rebuilt by its code.
            StreamInterrupted: The line is not JSON.
        """
        if not line.startswith(b"data:"):
            return None
        text = line[5:].strip()
        if text == b"[DONE]":
            self.is_over = True
            return None
        try:
            event = json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StreamInterrupted("the stream carried something that is not JSON") from error
        if not isinstance(event, dict):
            raise StreamInterrupted("the stream carried something that is not a JSON object")
        if (failure := error_in_event(event)) is not None:
            raise failure
        if event.get("type") in _LAST_TYPES:
            self.is_over = True
        return event

    def check_end(self) -> None:
        """Call when no line is left.

        Raises:
            StreamInterrupted: The connection ended before the stream did.
        """
        if not self.is_over:
            raise StreamInterrupted("the connection ended in the middle of the answer")
