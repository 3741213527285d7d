"""Texts, and a question -> the texts nearest to it, by the words and parts of words that they share."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

LONGEST_COMPARED = 4_000
"""Characters of a text that count: a long one would hold up whoever serves."""
_SIZES = (3, 4)
"""Of the parts of words."""
_WIDE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts that put no spaces between words: each character counts as one."""
_WORD = re.compile(f"[{_WIDE}]|[^\\W_{_WIDE}]+")

Floats = NDArray[np.float64]


class NearestTexts:
    """An index of texts, made once. Light enough for a gateway: well below 1 ms a question for 200 of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Weigh the texts' terms by how few of them have each."""
        self.n_texts = len(texts)
        normed = [_normed(one) for one in texts]
        self._kinds = tuple(_Terms([terms(one) for one in normed]) for terms in (_words, _parts))

    def nearest(self, question: str, n: int, without: Collection[int] = ()) -> tuple[int, ...]:
        """Return the places of the n texts nearest to the question, or of all that there are, the nearest first.

        Similarity is the mean of two cosines of TF-IDF vectors, one of words and one of the words' runs of three and
        four characters, which still find inflected and misspelt words. Of equally near texts the earlier come first.

        Args:
            without: Places that are left out.
        """
        near = self.similarities(question)
        order = np.argsort(-near, kind="stable").tolist()
        return tuple([place for place in order if place not in without][:n])

    def similarities(self, question: str) -> Floats:
        """Return (n_texts,), 0..1."""
        normed = _normed(question)
        words, parts = self._kinds
        found = (words.cosines(_words(normed)) + parts.cosines(_parts(normed))) / 2.0
        return np.round(found, 9)  # sums in another order must not make a difference


class _Terms:
    """Texts as unit vectors of TF-IDF over one kind of terms, kept by term."""

    def __init__(self, texts: Sequence[Iterable[str]]) -> None:
        counted = [Counter(one) for one in texts]
        n_with = Counter(term for one in counted for term in one)
        self._n_texts = len(counted)
        self._idf = {term: math.log((1 + len(counted)) / (1 + n)) + 1.0 for term, n in n_with.items()}
        found: dict[str, list[tuple[int, float]]] = {term: [] for term in n_with}
        for place, one in enumerate(counted):
            for term, weight in self._unit(one):
                found[term].append((place, weight))
        ends = accumulate(len(one) for one in found.values())
        self._ends = dict(zip(found, ends, strict=True))
        self._sizes = {term: len(one) for term, one in found.items()}
        together = [entry for one in found.values() for entry in one]
        self._places = np.array([place for place, _ in together], dtype=np.int64)
        self._weights = np.array([weight for _, weight in together], dtype=np.float64)
        """Of each term's texts, the terms one after another."""

    def cosines(self, terms: Iterable[str]) -> Floats:
        """Return (n_texts,); terms that no text has count for nothing."""
        known = self._unit(Counter(terms))
        if not known:
            return np.zeros(self._n_texts)
        sizes = [self._sizes[term] for term, _ in known]
        slices = [
            slice(self._ends[term] - size, self._ends[term]) for (term, _), size in zip(known, sizes, strict=True)
        ]
        places = np.concatenate([self._places[one] for one in slices])
        weights = np.concatenate([self._weights[one] for one in slices])
        weights *= np.repeat([weight for _, weight in known], sizes)
        return np.asarray(np.bincount(places, weights, minlength=self._n_texts), dtype=np.float64)

    def _unit(self, counts: Counter[str]) -> list[tuple[str, float]]:
        """Each term's weight, the vector's length 1 over the terms that are known."""
        raw = [(term, (1.0 + math.log(n)) * self._idf[term]) for term, n in counts.items() if term in self._idf]
        norm = sum(weight * weight for _, weight in raw) ** 0.5
        return [(term, weight / norm) for term, weight in raw]


def _normed(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:LONGEST_COMPARED]).casefold()


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _parts(text: str) -> Iterator[str]:
    """Runs of characters inside each word, whose ends count as one."""
    for word in _words(text):
        whole = f" {word} "
        for size in _SIZES:
            for start in range(max(1, len(whole) - size + 1)):
                yield whole[start : start + size]
