"""Finalists -> the best on the selection split -> against the seed on the untouched test."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.leaks import find_leaks
from neuroforge.prompts.prepare import Prepared
from neuroforge.prompts.program import program_id
from neuroforge.prompts.promote import Verdict, judge_winner
from neuroforge.prompts.purse import N_FINALISTS


async def select_winner(engine: PromptEvolutionEngine, evaluator: Evaluator, prepared: Prepared) -> PromptCandidate:
    """Return the finalist that is best by all that is known, items that the search has not seen included.

    The seed stands among them. A few fresh items alone would decide by luck more often than not.
    """
    seed = engine.state.candidates[0]
    finalists = list(dict.fromkeys([seed.id, *(one.id for one in engine.ranking()[:N_FINALISTS])]))
    ids = tuple(item.id for item in prepared.splits["selection"])
    fresh = {}
    for one in finalists:
        results = await evaluator.results_of(engine.state.candidate(one).program, ids)
        fresh[one] = {result.item_id: result.fitness for result in results if result.fitness is not None}
    return engine.state.candidate(engine.rank(fresh)[0])


async def prove_winner(
    config: OptimizeConfig, winner: PromptCandidate, evaluator: Evaluator, prepared: Prepared
) -> Verdict:
    """Return what the test items say; this is the only look at them."""
    test = prepared.splits["test"]
    leaks = find_leaks((winner.program, prepared.seed), test, prepared.splits["search"])
    if winner.id == program_id(prepared.seed):
        return Verdict(
            is_promoted=False,
            improvement=None,
            sentence="on items that the search had not seen nothing was better than the seed: the seed stays",
            warnings=leaks.warnings,
        )
    ids = tuple(item.id for item in test if item.id not in leaks.test_ids)
    mine = await evaluator.results_of(winner.program, ids)
    seeds = await evaluator.results_of(prepared.seed, ids)
    verdict = judge_winner(
        {one.item_id: one.score for one in mine},
        {one.item_id: one.score for one in seeds},
        {item.id: item.group for item in test},
        config.alpha,
        np.random.default_rng(config.seed),
    )
    return Verdict(**{**dict(verdict), "warnings": (*leaks.warnings, *_tell_unscored(mine, seeds))})


def _tell_unscored(mine: Sequence[ItemResult], seeds: Sequence[ItemResult]) -> tuple[str, ...]:
    """Who fails on the hard items looks better without them: that is to be seen."""
    n_mine, n_seeds = (sum(one.score is None for one in results) for results in (mine, seeds))
    n_out = sum(one.score is None or other.score is None for one, other in zip(mine, seeds, strict=True))
    if not n_out:
        return ()
    why = Counter(one.reason or "not scored" for one in (*mine, *seeds) if one.score is None).most_common(1)[0][0]
    return (
        f"{n_out} of {len(mine)} test items are left out for both prompts, since the winner has no score on {n_mine} "
        f"and the seed none on {n_seeds}; most often: {why}",
    )
