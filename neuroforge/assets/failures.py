"""What a source may fail with: an internal signal that never leaves this package."""

from urllib.parse import urlsplit, urlunsplit


class SourceFailed(Exception):
    """This source cannot give the file; the message is the reason, in words for the user, without secrets."""


class WrongBytes(SourceFailed):
    """This source gave the file, but not the pinned bytes."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"SHA-256 is {actual}, pinned is {expected}")
        self.expected = expected
        self.actual = actual


def redact_url(url: str) -> str:
    """Return the URL without user name, password and query, which may hold a secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
