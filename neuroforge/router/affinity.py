"""Conversation -> the model that has read most of it already, and how many tokens it would spare."""

from collections import OrderedDict
from typing import NamedTuple

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import RoutingRequest
from neuroforge.router.conversation import mark_prefixes

MAX_PREFIXES = 4096
MAX_AGE_S = 900.0
"""Engines reuse a cache while nothing pushed it out: after a quarter of an hour something has."""
N_LOOKBACK = 8
"""Messages that the caller may have added since: an answer, tool calls with their results, a question."""

Key = tuple[str, str] | int


class Warm(NamedTuple):
    """What a model has in its prefix cache of a conversation."""

    model_id: str
    n_tokens: int


class _Entry(NamedTuple):
    warm: Warm
    at_s: float


class PrefixMemory:
    """Which model answered which conversation, in this gateway replica; bounded, the least recently used goes first."""

    def __init__(self, clock: Clock, max_prefixes: int = MAX_PREFIXES) -> None:
        """`clock` is monotonic."""
        self._clock = clock
        self._max = max_prefixes
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def find(self, request: RoutingRequest) -> Warm | None:
        """Return the model that is warm for this request; None = none that is known, or too long ago.

        A session told by the caller counts before what the messages tell. Sessions of different callers are apart.
        """
        keys: list[Key] = []
        if request.route.session is not None:
            keys.append((request.actor, request.route.session))
        keys += reversed(mark_prefixes(request.body)[-1 - N_LOOKBACK : -1])
        oldest_s = self._clock() - MAX_AGE_S
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and entry.at_s >= oldest_s:
                self._entries.move_to_end(key)
                return entry.warm
        return None

    def remember(self, request: RoutingRequest, model_id: str, n_tokens: int) -> None:
        """Note that a model has read this conversation and answered it; `n_tokens` = prompt and answer."""
        keys: list[Key] = [*mark_prefixes(request.body)[-1:]]
        if request.route.session is not None:
            keys.append((request.actor, request.route.session))
        entry = _Entry(Warm(model_id, n_tokens), self._clock())
        for key in keys:
            self._entries[key] = entry
            self._entries.move_to_end(key)
        while len(self._entries) > self._max:
            self._entries.popitem(last=False)
