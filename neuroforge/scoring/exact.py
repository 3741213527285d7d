"""Reply equal to a reference, but for white space around it."""

from collections.abc import Sequence

from neuroforge.contracts.scores import Score


def score_exact(reply: str, references: Sequence[str]) -> Score:
    """1 if the reply is one of the references, letter by letter; white space at both ends does not count."""
    answer = reply.strip()
    if not references:
        return Score(reason="no reference", answer=answer)
    return Score(value=float(any(answer == one.strip() for one in references)), answer=answer)
