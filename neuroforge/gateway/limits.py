"""Requests and tokens per minute of each key, over all gateway replicas.

A sliding window in the cheap form: this minute's count plus that share of the last minute's which is still less than a
minute ago. Other replicas' counts arrive once a second, so a key may exceed its limit by about one second's traffic.
"""

from collections.abc import Iterable

from neuroforge.contracts.keys import ApiKey, KeyUsage
from neuroforge.contracts.ports import Clock
from neuroforge.errors import RateLimited, RequestError
from neuroforge.gateway.call import Call

MINUTE_S = 60


class Limiter:
    """Counts and refuses."""

    def __init__(self, wall_clock: Clock, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self._clock = wall_clock
        self._default = (requests_per_minute, tokens_per_minute)
        self._own: dict[tuple[str, int], list[int]] = {}
        self._elsewhere: dict[tuple[str, int], list[int]] = {}

    def admit(self, key: ApiKey | None, call: Call) -> None:
        """Count one request and put the x-ratelimit headers on its answer.

        Raises:
            RateLimited: The window is full; `retry_after_s` says when a place is free.
        """
        if key is not None:
            self._admit(key, call, 1)

    def admit_prompts(self, key: ApiKey | None, call: Call, n_prompts: int) -> None:
        """Count each prompt of one body as a request; the first is counted by `admit` already.

        Raises:
            RequestError: They would never fit. RateLimited: They do not fit now; the further ones are not counted.
        """
        if key is None or n_prompts <= 1:
            return
        limit = key.spec.requests_per_minute or self._default[0]
        if limit is not None and n_prompts > limit:
            raise RequestError(
                f"each prompt counts as a request, and this key may send {limit} per minute: give fewer than the "
                f"{n_prompts} at once",
                param="prompts",
            )
        call.response_headers = [one for one in call.response_headers if not one[0].startswith(b"x-ratelimit-")]
        self._admit(key, call, n_prompts - 1)

    def add_tokens(self, key: ApiKey | None, n_tokens: int) -> None:
        """Book what an answer used, also of one that was cut off."""
        if key is not None and n_tokens:
            self._own.setdefault((key.id, int(self._clock() // MINUTE_S)), [0, 0])[1] += n_tokens

    def report(self) -> tuple[KeyUsage, ...]:
        """Own counts of this minute and the last; older ones are forgotten."""
        oldest = int(self._clock() // MINUTE_S) - 1
        self._own = {place: counts for place, counts in self._own.items() if place[1] >= oldest}
        return tuple(
            KeyUsage(key_id=key_id, minute=minute, n_requests=counts[0], n_tokens=counts[1])
            for (key_id, minute), counts in self._own.items()
        )

    def update(self, elsewhere: Iterable[KeyUsage]) -> None:
        """Take over what the other replicas counted."""
        found: dict[tuple[str, int], list[int]] = {}
        for usage in elsewhere:
            counts = found.setdefault((usage.key_id, usage.minute), [0, 0])
            counts[0] += usage.n_requests
            counts[1] += usage.n_tokens
        self._elsewhere = found

    def _admit(self, key: ApiKey, call: Call, n: int) -> None:
        now_s = self._clock()
        minute = int(now_s // MINUTE_S)
        counts = self._own.setdefault((key.id, minute), [0, 0])
        limits = (key.spec.requests_per_minute or self._default[0], key.spec.tokens_per_minute or self._default[1])
        if limits == (None, None):
            counts[0] += n
            return
        left_s = (minute + 1) * MINUTE_S - now_s
        used = [self._used(key.id, minute, which, left_s / MINUTE_S) for which in (0, 1)]
        for which, limit in enumerate(limits):
            if limit is not None:
                self._check(call, ("requests", "tokens")[which], limit, used[which], n if which == 0 else 0, left_s)
        counts[0] += n

    def _used(self, key_id: str, minute: int, which: int, weight_of_last: float) -> float:
        def count(at: int) -> int:
            return sum(one[(key_id, at)][which] for one in (self._own, self._elsewhere) if (key_id, at) in one)

        return count(minute) + weight_of_last * count(minute - 1)

    def _check(self, call: Call, name: str, limit: int, used: float, n_asked: int, left_s: float) -> None:
        is_full = used + n_asked > limit if n_asked else used >= limit
        remaining = 0 if is_full else max(0, int(limit - used - n_asked))
        reset_s = f"{left_s:.0f}s".encode()
        call.response_headers += [
            (f"x-ratelimit-limit-{name}".encode(), str(limit).encode()),
            (f"x-ratelimit-remaining-{name}".encode(), str(remaining).encode()),
            (f"x-ratelimit-reset-{name}".encode(), reset_s),
        ]
        if is_full:
            raise RateLimited(
                f"this key may use {limit} {name} per minute, and they are used up", retry_after_s=max(1.0, left_s)
            )
