"""Text -> marks that need no understanding: length, code, mathematics, choices, question words, script."""

import re
from math import log1p

import numpy as np
from numpy.typing import NDArray

_FLAGS = re.IGNORECASE
_COUNTED: dict[str, re.Pattern[str]] = {
    "options": re.compile(r"(?:^|\n|\s)\(?[A-Ja-j][.):]\s"),
    "option_lines": re.compile(r"^[ \t]{0,8}\(?[A-J][.):]\s", re.MULTILINE),
    "bullets": re.compile(r"^[ \t]{0,8}(?:[-*•]|\d+[.)])\s", re.MULTILINE),
    "code_fences": re.compile(r"```"),
    "code_words": re.compile(r"\b(?:def|return|import|class|assert|lambda|elif|print|self|None|null|void|SELECT)\b"),
    "code_marks": re.compile(r"[{};]|==|!=|->|=>|\(\)|::|</"),
    "type_hints": re.compile(r"->\s*\w+|:\s*(?:int|str|float|bool|list|List|dict|Dict)\b"),
    "doctests": re.compile(r">>>"),
    "latex": re.compile(r"\\[a-zA-Z]+|\$"),
    "operators": re.compile(r"[=+*/^<>≤≥±×÷√∑∫%]"),
    "numbers": re.compile(r"\d+(?:[.,]\d+)*"),
    "money_units": re.compile(
        r"[$€£]\s?\d|\d\s?(?:%|km|cm|kg|mph|hours?|minutes?|dollars|miles|years|days|pounds)\b", _FLAGS
    ),
    "variables": re.compile(r"\b[a-zA-Z]\b(?=\s*[=+\-*/^<>)])"),
    "questions": re.compile(r"\?"),
    "quotes": re.compile(r"[\"“”]|(?<!\w)'|'(?!\w)"),
    "blanks": re.compile(r"_{2,}|\.\.\.|…"),
    "urls": re.compile(r"https?://|www\."),
    "capitalised": re.compile(r"(?<![.?!:]\s)(?<=[a-z,]\s)[A-Z][a-z]+"),
    "examples": re.compile(r"^[ \t]{0,8}(?:Q|A|Question|Answer|Input|Output|Example)\s*\d*:", re.MULTILINE | _FLAGS),
    "roman_statements": re.compile(r"\bStatement\s*(?:\d|I+)\b|\bI{1,3}\b[.,)]", _FLAGS),
    "chemistry": re.compile(r"\b(?:[A-Z][a-z]?\d+){1,6}\b|\b(?:mol|pH|eV|MeV|Hz|nm|GHz|NaOH|HCl|CO2)\b"),
}
"""Counted, then log(1 + count)."""
_ASKED: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "asks_what": "what which",
        "asks_who": "who whom whose",
        "asks_when_where": "when where year date",
        "asks_why_how": "why how explain",
        "asks_amount": "many much far old total average",
        "asks_to_write": "write compose draft generate create story poem essay sentence sentences coherent",
        "asks_to_translate": "translate translation",
        "asks_to_summarise": "summarize summarise summary tldr shorten",
        "asks_to_classify": "classify category label sentiment intent",
        "asks_to_extract": "extract identify entities mentioned",
        "asks_to_solve": "solve calculate compute evaluate simplify determine find",
        "asks_to_prove": "prove derive proof show",
        "asks_for_code": "function python javascript java sql regex script program algorithm bug code",
        "asks_for_data": "json yaml xml csv schema",
        "asks_for_steps": "step steps reason think reasoning",
        "asks_yes_no": "true false yes",
        "addresses_model": "you your please",
        "mentions_persons": "he she his her him they their",
        "negates": "not no never except without incorrect least",
    }.items()
}
"""1 where one of the words occurs (lower-cased), else 0."""
_ENDS: dict[str, re.Pattern[str]] = {
    "starts_lower": re.compile(r"^[a-z]"),
    "starts_yes_no": re.compile(r"^(?:is|are|does|do|can|will|was|were|has|have)\b", _FLAGS),
    "ends_in_question": re.compile(r"\?$"),
    "ends_in_colon": re.compile(r":$"),
    "ends_open": re.compile(r"[a-z,]$"),
}
"""1 where the trimmed text begins or ends so, else 0."""
_WORD = re.compile(r"[a-z]+")
_SCRIPTS: dict[str, tuple[int, int]] = {
    "cyrillic": (0x0400, 0x0530),
    "semitic": (0x0590, 0x0780),
    "indic": (0x0900, 0x0E80),
    "cjk": (0x3000, 0xD7B0),
}
"""Share of the characters that lie in the range of code points."""
_SHARES = ("digit_share", "upper_share", "letter_share", "space_share", "accent_share")
_SIZES = ("log_chars", "log_words", "log_lines", "word_length", "line_length", "unique_words")
SURFACE_NAMES: tuple[str, ...] = (*_SIZES, *_SHARES, *_SCRIPTS, *_COUNTED, *_ASKED, *_ENDS)
N_SURFACE = len(SURFACE_NAMES)


def measure_surface(text: str, n_chars: int) -> NDArray[np.float32]:
    """Return (N_SURFACE,) of a text; `n_chars` is its length before it was capped. An empty text is all zero."""
    if not text:
        return np.zeros(N_SURFACE, dtype=np.float32)
    words = text.split()
    n_lines = text.count("\n") + 1
    sizes = (
        log1p(n_chars),
        log1p(len(words)),
        log1p(n_lines),
        len(text) / max(len(words), 1) / 10,
        log1p(len(text) / n_lines),
        len(set(words)) / max(len(words), 1),
    )
    stripped = text.strip()
    vocabulary = set(_WORD.findall(text.lower()))
    counted = (log1p(len(pattern.findall(text))) for pattern in _COUNTED.values())
    asked = (float(not vocabulary.isdisjoint(marks)) for marks in _ASKED.values())
    ends = (float(pattern.search(stripped[:40] + stripped[-40:]) is not None) for pattern in _ENDS.values())
    return np.array([*sizes, *_measure_characters(text), *counted, *asked, *ends], dtype=np.float32)


def _measure_characters(text: str) -> list[float]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    is_digit = (codes >= 48) & (codes <= 57)
    is_upper = (codes >= 65) & (codes <= 90)
    is_letter = is_upper | ((codes >= 97) & (codes <= 122))
    is_space = (codes <= 32) | (codes == 160)
    is_accented = (codes >= 0xC0) & (codes < 0x250)
    scripts = [(codes >= low) & (codes < high) for low, high in _SCRIPTS.values()]
    masks = (is_digit, is_upper, is_letter, is_space, is_accented, *scripts)
    return [np.count_nonzero(mask) / len(codes) for mask in masks]  # `mask.mean()` takes ten times as long
