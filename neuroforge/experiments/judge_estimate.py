"""Matrix and what a judge has said -> what its calls would take at most, added to the estimate of the run."""

from collections import Counter
from math import comb
from pathlib import Path

from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ExperimentPlan, ModelFacts
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, Judge
from neuroforge.experiments.estimate import CallSum, duration_s
from neuroforge.experiments.facts import lane_model
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.matrix import count_characters
from neuroforge.experiments.scores import ScoreIndex
from neuroforge.experiments.tables import read_matrix
from neuroforge.scoring.judge import MAX_TOKENS, ask_for_grade, ask_for_preference

CALLS_AT_ONCE = 4
"""To the judge; its server queues what is too much."""


def add_judge(plan: ExperimentPlan, facts: ModelFacts | None) -> ExperimentPlan:
    """Return the plan with the judge, whose calls its estimate counts: each cell gets a reply as long as it may be.

    Args:
        plan: Matrix and items lie in its directory.
        facts: The judge's; None = there is none, and the plan stays as it is.
    """
    judge, estimate = plan.config.judge, plan.estimate
    if judge is None or facts is None:
        return plan
    left = _count_calls(Path(plan.directory), plan.config, judge)
    seconds = estimate.duration_s, duration_s(facts, left, min(CALLS_AT_ONCE, lane_model(facts, None).n_slots_max))
    more = {
        "n_calls": estimate.n_calls + left.n_calls,
        "n_prompt_tokens": estimate.n_prompt_tokens + left.n_prompt_tokens,
        "n_completion_tokens_max": estimate.n_completion_tokens_max + left.n_completion_tokens_max,
        "cost_usd_max": estimate.cost_usd_max
        + facts.price.cost_usd(left.n_prompt_tokens, left.n_completion_tokens_max),
        "duration_s": None if None in seconds else sum(one or 0.0 for one in seconds),
        "notes": (*estimate.notes, f"at most {left.n_calls:,} of the calls are to the judge {judge.model_id}"),
    }
    return ExperimentPlan(**{**dict(plan), "judge": facts, "estimate": CostEstimate(**{**dict(estimate), **more})})


def _count_calls(directory: Path, config: ExperimentConfig, judge: Judge) -> CallSum:
    """A pair that was compared already counts again where others of its item are left: the sum is an upper bound."""
    scores, items = ScoreIndex(directory), ItemFile(directory)
    n_cells: Counter[tuple[int, int]] = Counter()
    n_open: Counter[tuple[int, int]] = Counter()
    found = CallSum()
    try:
        for cells in read_matrix(directory):
            for cell in cells:
                if items[cell.item_index].scorer == "judge":
                    group = cell.item_index, cell.repeat
                    n_cells[group] += 1
                    n_open[group] += not scores.has(cell.cell_id, f"judge:{judge.model_id}")
        for (item_index, repeat), n in n_open.items():
            n_calls = n if judge.mode == "rubric" else 2 * comb(n_cells[item_index, repeat], 2) * (n > 0)
            found.n_calls += n_calls
            found.n_prompt_tokens += n_calls * _n_prompt_tokens(items[item_index], config, judge)
            found.n_completion_tokens_max += n_calls * MAX_TOKENS
    finally:
        items.close()
    return found


def _n_prompt_tokens(item: DatasetItem, config: ExperimentConfig, judge: Judge) -> int:
    """Of one question to the judge, with replies at their longest."""
    n_reply = max(one.max_tokens or item.max_tokens for one in config.decodings)
    if judge.mode == "rubric":
        return count_characters(ask_for_grade(item, "", judge.rubric)) // CHARACTERS_PER_TOKEN + n_reply
    return count_characters(ask_for_preference(item, "", "", judge.rubric)) // CHARACTERS_PER_TOKEN + 2 * n_reply
