"""Whether a reply matches a regular expression."""

from collections.abc import Sequence

import regex

from neuroforge.contracts.scores import Score

TIMEOUT_S = 0.5
"""A pattern that backtracks without end on a reply is given up."""
_MAX_REPLY_CHARS = 100_000


def score_regex(reply: str, patterns: Sequence[str]) -> Score:
    """1 if any pattern is found in the reply; the first group, else the whole match, is the answer.

    Patterns are found anywhere: `^...$` wants the whole reply, `(?i)` ignores case. Not scored where none matches and
    one is not a pattern or takes too long.
    """
    problem = None if patterns else "no pattern"
    for pattern in patterns:
        try:
            found = regex.search(pattern, reply[:_MAX_REPLY_CHARS], timeout=TIMEOUT_S)
        except (regex.error, TimeoutError) as error:
            problem = f"the pattern {pattern!r} {'takes too long' if isinstance(error, TimeoutError) else error}"
            continue
        if found is not None:
            answer = next((group for group in found.groups() if group is not None), found[0])
            return Score(value=1.0, answer=answer)
    return Score(reason=problem) if problem else Score(value=0.0, reason="no pattern is found in the reply")


def check_pattern(pattern: str) -> None:
    """Return if it is a pattern.

    Raises:
        ValueError: It is none; says why.
    """
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
