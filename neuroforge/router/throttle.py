"""A token bucket: whether one more may happen now."""

from neuroforge.contracts.ports import Clock


class Throttle:
    """Lets `per_s` happen each second in the long run, and `burst` at once."""

    def __init__(self, clock: Clock, per_s: float, burst: int) -> None:
        """`clock` is monotonic."""
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at_s = clock()

    def admit(self) -> bool:
        """Take one, if there is one."""
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
