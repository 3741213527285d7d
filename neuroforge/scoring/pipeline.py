"""Item and reply -> the item's scorer -> Score."""

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import Score
from neuroforge.scoring.choice import score_choice
from neuroforge.scoring.code import score_code
from neuroforge.scoring.exact import score_exact
from neuroforge.scoring.normalized import score_normalized
from neuroforge.scoring.numeric import score_numeric
from neuroforge.scoring.sandbox import Sandbox


def score_reply(item: DatasetItem, reply: str, sandbox: Sandbox) -> Score:
    """Return what the item's scorer says of the reply; only `code` uses the sandbox, and takes as long as the tests."""
    match item.scorer:
        case "exact":
            return score_exact(reply, item.references)
        case "normalized":
            return score_normalized(reply, item.references)
        case "numeric":
            return score_numeric(reply, item.references, item.unit, item.tolerance)
        case "choice":
            return score_choice(reply, item.references, item.labels, item.choices)
        case "code":
            return score_code(reply, item.code, sandbox)
        case "judge":
            return Score(reason="only a judge or a person can score this")
