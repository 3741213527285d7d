"""Which choice a reply names, by its text or by the labels' probabilities."""

import re
from collections.abc import Sequence

from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.scores import Score
from neuroforge.scoring.normalized import normalize

_OPEN, _CLOSE = r"[\s*_`\"'(\[{]*", r"(?![\w'’-])"
_KIND = r"(?:\s+(?:letter|option|choice))?"
_IS = r"(?:(?:is|was|would\s+be|should\s+be)" + _KIND + r"\s*:?|[:=])"
_CONCLUSION = rf"(?:\b(?:answer|choice|option)\s*{_IS}{_KIND}|\\boxed\s*\{{|####)"
_MENTION = r"\b(?:answer|choice|option|choose|select|pick)\b"
_MAX_REPLY_CHARS = 20_000


def score_choice(reply: str, references: Sequence[str], labels: Sequence[str], choices: Sequence[str]) -> Score:
    """1 if the reply names the right label; 0 if another, several at once, or none.

    Args:
        references: Right labels.
        labels: Such as A, B, C; or words such as yes, no.
        choices: The text behind each label: a reply that gives the text instead of the label counts too.
    """
    if not references or not all(one in labels for one in references):
        return Score(reason=f"the reference {references!r} is none of the labels")
    found = find_label(reply[:_MAX_REPLY_CHARS], labels, choices)
    if found is None:
        return Score(value=0.0, reason="the reply names no choice, or several")
    return Score(value=float(found in references), answer=found)


def find_label(reply: str, labels: Sequence[str], choices: Sequence[str]) -> str | None:
    """Return the label that the reply means, None when it is not clear.

    In this order: the last label after `answer is`, `answer:`, `\\boxed{` or `####`; a reply that is a label or begins
    with one; the last label after `option`, `choose` and the like; the one choice whose text stands in the reply; the
    one label that does. The article `a` is no label.
    """
    text = reply.strip()
    return (
        _behind(_CONCLUSION, text, labels)
        or _leading(text, labels)
        or _behind(_MENTION, text, labels)
        or _by_text(text, labels, choices)
        or _only_one(text, labels)
    )


def score_label_logprobs(found: LabelLogprobs, references: Sequence[str]) -> Score:
    """1 if the right label is the most probable; ties count as wrong, since nothing was preferred."""
    ranked = sorted(found.scores, key=lambda one: -one.logprob)
    if not ranked or not references:
        return Score(reason="no labels were scored" if not ranked else "no reference")
    if len(ranked) > 1 and ranked[0].logprob == ranked[1].logprob:
        return Score(value=0.0, reason="the two most probable labels tie")
    best = ranked[0].label.strip()
    return Score(value=float(best in references), answer=best)


def _leading(text: str, labels: Sequence[str]) -> str | None:
    for label in sorted(labels, key=len, reverse=True):
        word = re.escape(label)
        if len(label) > 1:
            if re.match(rf"{_OPEN}{word}{_CLOSE}", text, re.IGNORECASE):
                return label
        # A bare letter must end the reply or be set apart, or `A dog` would name A.
        elif re.match(rf"{_OPEN}{word}(?:[*_`\"'\s]*$|[*_`\"']*[.):,\]}}\n]|\s*[-–—]\s)", text, re.IGNORECASE):
            return label
    return None


def _behind(mark: str, text: str, labels: Sequence[str]) -> str | None:
    words = "|".join(re.escape(one) for one in sorted(labels, key=len, reverse=True))
    pattern = rf"{mark}{_OPEN}(?:\\text\s*\{{)?({words}){_CLOSE}"
    found = [match for match in re.finditer(pattern, text, re.IGNORECASE) if not _is_article(match, text)]
    return _as_label(found[-1][1], labels) if found else None


def _is_article(match: "re.Match[str]", text: str) -> bool:
    """`the answer is a dog`: a small `a` before another word."""
    return match[1] == "a" and re.match(r"\s+\w", text[match.end() :]) is not None


def _by_text(text: str, labels: Sequence[str], choices: Sequence[str]) -> str | None:
    reply = f" {normalize(text)} "
    texts = [f" {normalize(one)} " for one in choices]
    inside = [index for index, one in enumerate(texts) if one.strip() and one in reply]
    # `red` stands in `dark red` too: a choice that lies within another named choice is not what was meant.
    longest = [index for index in inside if not any(texts[index] in texts[other] for other in inside if other != index)]
    return labels[longest[0]] if len(longest) == 1 else None


def _only_one(text: str, labels: Sequence[str]) -> str | None:
    """Single letters count in upper case only, and A not before a word."""
    named = set()
    for label in labels:
        flags = re.IGNORECASE if len(label) > 1 else 0
        behind = r"(?!\s+(?!(?:and|or)\b)[a-z])" if label in ("A", "I") else ""
        if re.search(rf"(?<![\w'’-]){re.escape(label)}{_CLOSE}{behind}", text, flags):
            named.add(label)
    return named.pop() if len(named) == 1 else None


def _as_label(word: str, labels: Sequence[str]) -> str:
    return next(one for one in labels if one.casefold() == word.casefold())
