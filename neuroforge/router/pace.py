"""Finished answers -> seconds a token: generated, and read as well where only the total is known."""

from dataclasses import dataclass

ALPHA = 0.2
"""Weight of a new observation: the last dozen answers count."""
WINDOW = 50
"""Two unknowns take more answers than one: the last so many count."""
READING = 0.25
"""Seconds of reading a token, in those of generating one, where answers do not tell them apart."""
STRENGTH = 0.02
"""How much that belief counts, as a share of the answers seen."""


@dataclass
class Rate:
    """Seconds a generated token, each answer counting by its tokens: one of two tokens says little of a long one."""

    seconds: float = 0.0
    n_tokens: float = 0.0
    n: int = 0

    def add(self, seconds: float, n_tokens: int) -> None:
        """Take one answer's generation in."""
        self.n += 1
        weight = max(ALPHA, 1.0 / self.n)
        self.seconds += weight * (seconds - self.seconds)
        self.n_tokens += weight * (n_tokens - self.n_tokens)

    @property
    def value(self) -> float | None:
        """Seconds a token; None = nothing was seen."""
        return self.seconds / self.n_tokens if self.n_tokens > 0 else None


@dataclass
class WholeAnswers:
    """Least squares of seconds = a x prompt tokens + b x generated tokens, both at least 0, by moving moments."""

    n: int = 0
    read: float = 0.0
    made: float = 0.0
    seconds: float = 0.0
    read_read: float = 0.0
    read_made: float = 0.0
    made_made: float = 0.0
    read_seconds: float = 0.0
    made_seconds: float = 0.0

    def add(self, n_prompt: int, n_made: int, seconds: float) -> None:
        """Take one answer in."""
        self.n += 1
        weight = max(1.0 / WINDOW, 1.0 / self.n)
        self.read += weight * (n_prompt - self.read)
        self.made += weight * (n_made - self.made)
        self.seconds += weight * (seconds - self.seconds)
        self.read_read += weight * (n_prompt * n_prompt - self.read_read)
        self.read_made += weight * (n_prompt * n_made - self.read_made)
        self.made_made += weight * (n_made * n_made - self.made_made)
        self.read_seconds += weight * (n_prompt * seconds - self.read_seconds)
        self.made_seconds += weight * (n_made * seconds - self.made_seconds)

    def solve(self) -> tuple[float, float] | None:
        """Return seconds a prompt token and a generated one; None = no answer had a token."""
        if self.made <= 0:
            return None
        guess = self.seconds / (self.made + READING * self.read)
        read_read, made_made = (1 + STRENGTH) * self.read_read, (1 + STRENGTH) * self.made_made
        read_seconds = self.read_seconds + STRENGTH * self.read_read * READING * guess
        made_seconds = self.made_seconds + STRENGTH * self.made_made * guess
        determinant = read_read * made_made - self.read_made**2
        if self.read_read <= 0:
            return 0.0, made_seconds / made_made
        a = (read_seconds * made_made - made_seconds * self.read_made) / determinant
        b = (made_seconds * read_read - read_seconds * self.read_made) / determinant
        if a < 0:
            return 0.0, made_seconds / made_made
        if b < 0:
            return read_seconds / read_read, 0.0
        return a, b
