"""A prompt's words for labels, and an answer in them -> the label."""

from collections import Counter
from collections.abc import Mapping

_AROUND = " \t\r\n\"'`*_.,;:!()[]"
"""What models put around a word."""


def label_of(reply: str, verbalizer: Mapping[str, str]) -> str | None:
    """Return the label whose word the whole reply is; None = it is none of them.

    Case and signs around the word make no difference, unless two words differ in these alone.

    Args:
        verbalizer: Label -> the word that stands for it.
    """
    exact = reply.strip().casefold()
    for label, word in verbalizer.items():
        if exact and word.strip().casefold() == exact:
            return label
    counts, bare = Counter(_bare(word) for word in verbalizer.values()), _bare(reply)
    if not bare:
        return None
    return next((label for label, word in verbalizer.items() if _bare(word) == bare and counts[bare] == 1), None)


def could_become_word(start: str, verbalizer: Mapping[str, str]) -> bool:
    """Whether a reply that begins so may still turn out to be a word."""
    bare = _bare(start)
    return any(_bare(word).startswith(bare) for word in verbalizer.values())


def _bare(text: str) -> str:
    return text.strip(_AROUND).casefold()
