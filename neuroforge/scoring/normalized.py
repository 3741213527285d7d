"""Reply equal to a reference once letter case, punctuation, articles and spacing are taken away."""

import re
import unicodedata
from collections.abc import Sequence

from neuroforge.contracts.scores import Score

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def score_normalized(reply: str, references: Sequence[str]) -> Score:
    """1 if the normalised reply is one of the normalised references.

    Of a reply of several lines the whole counts, not a part: `Paris, I think` is not `Paris`.
    """
    answer = normalize(reply)
    if not references:
        return Score(reason="no reference", answer=answer)
    return Score(value=float(any(answer == normalize(one) for one in references)), answer=answer)


def normalize(text: str) -> str:
    """Return the text in lower case without punctuation, English articles and repeated spaces.

    If nothing would be left (`a`, `+`), only case and spacing are taken away, so that two such texts stay apart.
    Source: SQuAD's answer normalisation, arXiv:1606.05250, with Unicode's NFKC and categories.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    bare = "".join(" " if unicodedata.category(char)[0] == "P" else char for char in folded)
    return " ".join(_ARTICLES.sub(" ", bare).split()) or folded
