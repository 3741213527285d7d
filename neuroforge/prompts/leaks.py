"""Prompts and items -> what gives answers away: test items shown, or repeated elsewhere, and copied text."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.render import to_text

COPIED_WORDS = 12
"""So many words in a row of an item, outside the demonstrations, are copied text; of a shorter item all its words."""
FEWEST_WORDS = 5
"""An item with fewer words stands in many a prompt by chance."""
SHINGLE = 3
"""Words of the runs whose overlap tells near-duplicates."""
ALIKE = 0.7
"""Share of all runs of two texts that both have (Jaccard), from which they are the same question."""
MAX_NAMED = 5
_WIDE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts that put no spaces between words: each character counts as one."""
_WORD = re.compile(f"[{_WIDE}]|[^\\W_{_WIDE}]+")

Words = tuple[str, ...]


@dataclass(frozen=True)
class Leaks:
    """What was found."""

    test_ids: frozenset[str]
    """Test items that a prompt may show to themselves, or nearly: they can prove nothing."""
    warnings: tuple[str, ...]


def find_leaks(
    programs: Sequence[PromptProgram],
    test: Sequence[DatasetItem],
    search: Sequence[DatasetItem],
    selection: Sequence[DatasetItem],
) -> Leaks:
    """Return what gives answers away. Case, signs and accents make no difference; numbers do.

    Args:
        programs: The winner and the seed.
        search: Items that the search saw, and chose examples from.
        selection: Items by which the winner was chosen.
    """
    shown = {leaked for program in programs for leaked in _shown_items(program, test)}
    copied = sorted({one for program in programs for one in _copied_items(program, (*search, *selection, *test))})
    warnings = []
    if shown:
        warnings.append(
            f"{_count(shown, 'test item')} shown as examples, word for word or nearly: left out of the test for both "
            "prompts"
        )
    for name, seen in (("search", search), ("selection", selection)):
        twins = _near_duplicates(seen, test)
        if left := {one: other for one, other in twins.items() if one not in shown}:
            pairs = next(f"{one!r} and {other!r}" for one, other in left.items())
            warnings.append(
                f"{_count(left, 'test item')} nearly repeat items of the {name} (such as {pairs}): the test is less "
                "fresh than it seems; give such items one `group`"
            )
    if copied:
        warnings.append(f"text of {_count(copied, 'item')} stands in the prompt outside its examples")
    return Leaks(frozenset(shown), tuple(warnings))


def find_repeated(items: Sequence[DatasetItem]) -> frozenset[str]:
    """Return the ids of those that nearly repeat another of them."""
    return frozenset(_find_twins(_asked(items), _asked(items)))


def _shown_items(program: PromptProgram, test: Sequence[DatasetItem]) -> Iterable[str]:
    """Ids of test items among the demonstrations; where each question chooses its own, no item is shown itself."""
    if program.n_nearest is None:
        test_ids = {item.id for item in test}
        yield from (one.item_id for one in program.demonstrations if one.item_id in test_ids)
    shown = [(one.item_id or f"\0{number}", one.question) for number, one in enumerate(program.demonstrations)]
    yield from _find_twins(shown, _asked(test))


def _near_duplicates(seen: Sequence[DatasetItem], test: Sequence[DatasetItem]) -> dict[str, str]:
    """Test item -> an item of another split that asks the same."""
    return _find_twins(_asked(seen), _asked(test))


def _asked(items: Sequence[DatasetItem]) -> list[tuple[str, str]]:
    return [(item.id, item.query) for item in items]


def _find_twins(ones: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Id of each of the others that repeats one of the first, not itself -> that one's; by the runs that they share."""
    by_run: dict[Words, list[int]] = defaultdict(list)
    runs, numbers = [], []
    for place, (_, text) in enumerate(ones):
        words = _words(text)
        runs.append(_runs(words, SHINGLE))
        numbers.append(_numbers(words))
        for run in runs[-1]:
            by_run[run].append(place)
    found: dict[str, str] = {}
    for name, text in others:
        words = _words(text)
        mine, my_numbers = _runs(words, SHINGLE), _numbers(words)
        shared = Counter(place for run in mine for place in by_run.get(run, ()))
        for place, n_shared in shared.most_common():
            is_alike = n_shared >= ALIKE * (len(mine) + len(runs[place]) - n_shared)
            if is_alike and numbers[place] == my_numbers and ones[place][0] != name:
                found[name] = ones[place][0]
                break
    return found


def _copied_items(program: PromptProgram, items: Sequence[DatasetItem]) -> Iterable[str]:
    words = _words(to_text(PromptProgram(**{**dict(program), "demonstrations": ()})))
    own: dict[int, set[Words]] = {}
    for item in items:
        theirs = _words(item.query)
        n = min(COPIED_WORDS, len(theirs))
        if n >= FEWEST_WORDS:
            if n not in own:
                own[n] = _runs(words, n)
            if not own[n].isdisjoint(_runs(theirs, n)):
                yield item.id


def _words(text: str) -> Words:
    """Without case, accents and signs."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", plain)))


def _runs(words: Words, n: int) -> set[Words]:
    """All runs of n words; of fewer words the one that they are."""
    if not words:
        return set()
    n = min(n, len(words))
    return {words[start : start + n] for start in range(len(words) - n + 1)}


def _numbers(words: Words) -> Counter[str]:
    """Two exercises that differ in a number are two."""
    return Counter(word for word in words if any(char.isdigit() for char in word))


def _count(ids: Iterable[str], what: str) -> str:
    names = sorted(ids)
    told = ", ".join(repr(one) for one in names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({told})"
