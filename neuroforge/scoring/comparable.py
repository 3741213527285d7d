"""What was read out of a reply -> what can be compared between repeats and paraphrases of a question."""

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.scoring.normalized import normalize


def comparable_answer(item: DatasetItem, answer: str | None) -> str | None:
    """Return a choice's text instead of its label, since a paraphrase may have its choices in another order.

    Any other answer stays what the scorer read; None = there was none in the reply.
    """
    if answer is None or item.scorer != "choice" or answer not in item.labels:
        return answer
    return normalize(item.choices[item.labels.index(answer)])
