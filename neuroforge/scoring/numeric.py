"""The number that a reply arrives at, against the reference's."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from neuroforge.contracts.scores import Score

REL_TOLERANCE = Decimal("1e-6")
_NUMBER = re.compile(
    r"(?<!\w)(?P<sign>[-−+]?)[$€£]?\s?"  # a minus with a space behind it is a dash or a subtraction
    r"(?P<body>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:[eE](?P<exponent>[-+]?\d{1,3})(?![\w]))?"
    r"(?:\s?/\s?(?P<divisor>\d+(?:\.\d+)?)(?![\w/]))?"
)
_MARKED = re.compile(r"####|\\boxed\s*\{|\b(?:final\s+)?answer(?:\s+is|\s*[:=])", re.IGNORECASE)
_MAX_REPLY_CHARS = 100_000


def score_numeric(
    reply: str, references: Sequence[str], unit: str | None = None, tolerance: float | None = None
) -> Score:
    """1 if the reply's number equals a reference's.

    The number is the one after the last `answer is`, `answer:`, `####` or `\\boxed{`; without such a mark the last that
    stands before `unit`; else the last of all. 1,000 and 1000, 1/2 and .5, $5 and 5 are the same; so is 40 for 40%.

    Args:
        unit: What is counted; `5 apples` matches the unit `apple`.
        tolerance: Largest absolute difference; None = one part in a million.
    """
    wanted = [number for number in map(last_number, references) if number is not None]
    if not wanted:
        return Score(reason=f"the reference holds no number: {', '.join(map(repr, references)) or 'none given'}")
    found = last_number(reply[-_MAX_REPLY_CHARS:], unit)
    if found is None:
        return Score(value=0.0, reason="no number in the reply")
    return Score(value=float(any(_is_close(found, one, tolerance) for one in wanted)), answer=_plain(found))


def last_number(text: str, unit: str | None = None) -> Decimal | None:
    """Return the number that the text arrives at, None without one; the rules are `score_numeric`'s."""
    marks = list(_MARKED.finditer(text))
    numbers = _numbers(text[marks[-1].end() :]) if marks else []
    if not numbers:
        numbers = _numbers(text)[::-1]  # the last first
    of_unit = _of_unit(numbers, unit) if unit is not None else None
    if of_unit is not None:
        return of_unit
    return numbers[0][0] if numbers else None


def _numbers(text: str) -> list[tuple[Decimal, str]]:
    """Each number with the words behind it."""
    found = []
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is not None:
            found.append((value, text[match.end() : match.end() + 40]))
    return found


def _value(match: "re.Match[str]") -> Decimal | None:
    try:
        value = Decimal(match["body"].replace(",", "")).scaleb(int(match["exponent"] or 0))
        if match["divisor"]:
            value /= Decimal(match["divisor"])
    except (InvalidOperation, ZeroDivisionError):
        return None
    return -value if match["sign"] in ("-", "−") else value


def _of_unit(numbers: Sequence[tuple[Decimal, str]], unit: str) -> Decimal | None:
    """The first that stands before the unit, in singular or plural."""
    wanted = _stem(unit)
    return next((value for value, behind in numbers if _stem(behind).startswith(wanted)), None) if wanted else None


def _stem(text: str) -> str:
    words = re.findall(r"[^\W\d_]+|[%°]", text.casefold())
    return " ".join(word.removesuffix("s") for word in words)


def _is_close(found: Decimal, wanted: Decimal, tolerance: float | None) -> bool:
    if tolerance is not None:
        return abs(found - wanted) <= Decimal(str(tolerance))
    return abs(found - wanted) <= REL_TOLERANCE * max(abs(found), abs(wanted))


def _plain(number: Decimal) -> str:
    text = f"{number:f}" if abs(number.adjusted()) < 30 else str(number)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text
