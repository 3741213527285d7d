"""How many sequences of up to four words a reply shares with the references."""

from collections.abc import Sequence

from neuroforge.contracts.scores import Score
from neuroforge.scoring.normalized import normalize


def score_bleu(reply: str, references: Sequence[str]) -> Score:
    """Sentence BLEU, 0 to 1, against all references together (exponential smoothing, effective order, tokenizer 13a).

    A mean of sentence BLEU is not corpus BLEU: compare variants by it, not with published figures.
    Source: Papineni et al. 2002; computed by package sacrebleu.
    """
    answer = normalize(reply)
    if not references:
        return Score(reason="no reference", answer=answer)
    from sacrebleu import sentence_bleu  # here: other scorers need not wait for its import

    found = sentence_bleu(reply, list(references), smooth_method="exp", use_effective_order=True)
    return Score(value=min(1.0, max(0.0, found.score / 100)), answer=answer)
