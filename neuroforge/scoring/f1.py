"""How many words a reply shares with a reference."""

from collections import Counter
from collections.abc import Sequence

from neuroforge.contracts.scores import Score
from neuroforge.scoring.normalized import normalize


def score_f1(reply: str, references: Sequence[str]) -> Score:
    """F1 of the normalised words, the best of all references.

    Source: SQuAD, arXiv:1606.05250, section 5: the two as bags of words, precision and recall, harmonic mean.
    """
    answer = normalize(reply)
    if not references:
        return Score(reason="no reference", answer=answer)
    return Score(value=max(word_f1(answer, normalize(one)) for one in references), answer=answer)


def word_f1(a: str, b: str) -> float:
    """Return the F1 of two texts' words; 1 where both have none."""
    words_a, words_b = a.split(), b.split()
    n_all = len(words_a) + len(words_b)
    n_shared = (Counter(words_a) & Counter(words_b)).total()
    return 2 * n_shared / n_all if n_all else 1.0
