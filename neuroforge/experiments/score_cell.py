"""Item and what came back for its cell -> the item's scorer -> Score."""

from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import CellReply
from neuroforge.contracts.scores import Score
from neuroforge.errors import DataError
from neuroforge.scoring.choice import score_label_logprobs
from neuroforge.scoring.embedding import Embed
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox


def score_cell(item: DatasetItem, reply: CellReply, sandbox: Sandbox, embed: Embed | None = None) -> Score:
    """Return what the item's scorer says; of labels' log-probabilities, where these were asked for, the most probable.

    Args:
        embed: As `score_reply`.
    Raises:
        DataError: The call failed, so that there is nothing to score.
    """
    if reply.reply is None:
        raise DataError(f"cell {reply.cell_id} has no reply to score ({reply.error_code})")
    if reply.label_scores and item.scorer == "choice":
        found = LabelLogprobs(scores=reply.label_scores, n_prompt_tokens=reply.n_prompt_tokens)
        return score_label_logprobs(found, item.references)
    return score_reply(item, reply.reply, sandbox, reply.tool_calls, embed)
