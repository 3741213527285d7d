"""Item and reply -> the item's scorer -> Score."""

from collections.abc import Sequence

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import Score
from neuroforge.scoring.bleu import score_bleu
from neuroforge.scoring.choice import score_choice
from neuroforge.scoring.code import score_code
from neuroforge.scoring.embedding import Embed, score_embedding
from neuroforge.scoring.exact import score_exact
from neuroforge.scoring.f1 import score_f1
from neuroforge.scoring.function_call import score_function_call
from neuroforge.scoring.json_schema import score_json_schema
from neuroforge.scoring.normalized import score_normalized
from neuroforge.scoring.numeric import score_numeric
from neuroforge.scoring.refusal import score_refusal
from neuroforge.scoring.regex import score_regex
from neuroforge.scoring.rouge import score_rouge
from neuroforge.scoring.sandbox import Sandbox


def score_reply(
    item: DatasetItem,
    reply: str,
    sandbox: Sandbox,
    tool_calls: Sequence[JsonObject] = (),
    embed: Embed | None = None,
) -> Score:
    """Return what the item's scorer says of the reply; only `code` uses the sandbox, and takes as long as the tests.

    Args:
        tool_calls: OpenAI's, where the model made any; for `function_call`.
        embed: For `embedding`, which without it scores nothing.
    """
    match item.scorer:
        case "numeric":
            return score_numeric(reply, item.references, item.unit, item.tolerance)
        case "choice":
            return score_choice(reply, item.references, item.labels, item.choices)
        case "code":
            return score_code(reply, item.code, sandbox)
        case "embedding":
            return score_embedding(reply, item.references, embed)
        case "function_call":
            return score_function_call(reply, item.references, tool_calls, item.tools)
        case "refusal":
            return score_refusal(reply)
        case "judge":
            return Score(reason="only a judge or a person can score this")
        case by_reference:
            return _BY_REFERENCE[by_reference](reply, item.references)


_BY_REFERENCE = {
    "exact": score_exact,
    "normalized": score_normalized,
    "regex": score_regex,
    "json_schema": score_json_schema,
    "f1": score_f1,
    "rouge": score_rouge,
    "bleu": score_bleu,
}
