"""What a model said -> the answer that most gave, shares."""

import math
from collections import Counter
from collections.abc import Sequence

from neuroforge.contracts.scores import Score


def vote(scores: Sequence[Score]) -> int:
    """Return the place of the first reply with the answer that most gave; answers that were not found do not vote."""
    counts = Counter(one.answer for one in scores if one.answer is not None)
    if not counts:
        return 0
    most = max(counts.values())
    return next(place for place, one in enumerate(scores) if one.answer is not None and counts[one.answer] == most)


def softmax(logprobs: Sequence[float]) -> list[float]:
    """Return each one's share."""
    highest = max(logprobs)
    powers = [math.exp(one - highest) for one in logprobs]
    return [one / sum(powers) for one in powers]
