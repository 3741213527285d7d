"""How long a sequence of words a reply shares with a reference."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from neuroforge.contracts.scores import Score
from neuroforge.scoring.normalized import normalize

MAX_CHARS = 20_000
"""Time grows with the product of both lengths."""
_WORD = re.compile(r"\w+")


class Words:
    """Words of any script; the library's own tokenizer drops all but a to z, and with it whole languages."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words, in lower case."""
        return _WORD.findall(text.casefold())


def score_rouge(reply: str, references: Sequence[str]) -> Score:
    """ROUGE-L's F measure without stemming, the best of all references; of texts over 20,000 characters the beginning.

    Source: Lin 2004, "ROUGE: a package for automatic evaluation of summaries"; computed by package rouge-score.
    """
    answer = normalize(reply)
    if not references:
        return Score(reason="no reference", answer=answer)
    scorer, said = _scorer(), reply[:MAX_CHARS]
    found = [scorer.score(one[:MAX_CHARS], said)["rougeL"].fmeasure for one in references]
    return Score(value=min(1.0, max(found)), answer=answer)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # here: nltk takes a second that other scorers need not wait

    return RougeScorer(["rougeL"], tokenizer=Words())
