"""Finalists -> the best on the selection split -> against the seed on the untouched test."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.datasets.split import find_families
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.attempts import Attempts, Level, question_of
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.leaks import find_leaks
from neuroforge.prompts.prepare import Prepared
from neuroforge.prompts.program import program_id
from neuroforge.prompts.promote import Verdict, judge_winner
from neuroforge.prompts.purse import N_FINALISTS
from neuroforge.prompts.slots import MOST_POOLED, changed

_LIKELY_BETTER = 2 / 3
"""Probability of being better at which the seed gives way to a finalist: twice as likely better as worse. The proof on
fresh items comes after it, and never for a finalist that was kept back here."""


async def select_winner(engine: PromptEvolutionEngine, evaluator: Evaluator, prepared: Prepared) -> PromptCandidate:
    """Return the finalist that is best by all that is known, items that the search has not seen included.

    The seed stands among them, and stays unless another is likely better by this task's items: of many that were tried
    the best by a few items is often none. A few fresh items alone would decide by luck more often than not.
    """
    seed = engine.state.candidates[0]
    finalists = list(dict.fromkeys([seed.id, *(one.id for one in engine.ranking()[:N_FINALISTS])]))
    ids = tuple(item.id for item in prepared.splits["selection"])
    fresh = {}
    for one in finalists:
        results = await evaluator.results_of(engine.state.candidate(one).program, ids)
        fresh[one] = {result.item_id: result.fitness for result in results if result.fitness is not None}
    rivals = (one for one in engine.rank(fresh) if one != seed.id)
    better = (one for one in rivals if engine.is_likely_better(one, seed.id, fresh, _LIKELY_BETTER))
    return engine.state.candidate(next(better, seed.id))


def final_program(winner: PromptProgram, prepared: Prepared) -> PromptProgram:
    """Return the winner as it is tested and served: the nearest examples are chosen among the test's as well.

    What chooses none stays as it is, and so does the seed, with whatever it chooses among. The search never saw these
    examples, and no item is shown itself: the test leaves one out, as fresh questions leave out none (Stone, 1974,
    "Cross-validatory choice and assessment of statistical predictions"). A pool with the model's own steps stays as it
    is, too: examples without steps would be another way of answering.
    """
    has_steps = any(one.is_bootstrapped for one in winner.demonstrations)
    if winner.n_nearest is None or prepared.seed.n_nearest is not None or has_steps:
        return winner
    known = {one.question for one in winner.demonstrations}
    more = [one for one in prepared.fresh if one.question not in known]
    shown = (*winner.demonstrations, *more)[: max(MOST_POOLED, len(winner.demonstrations))]
    return changed(winner, demonstrations=shown)


async def prove_winner(
    config: OptimizeConfig, winner: PromptCandidate, evaluator: Evaluator, prepared: Prepared, attempts: Attempts
) -> Verdict:
    """Return what the test items say; this is the only look at them, and it is counted before it is taken.

    Raises:
        DataError, ConflictError, DiskFull, StorageError: As `Attempts.take`.
    """
    splits, test = prepared.splits, prepared.splits["test"]
    final = final_program(winner.program, prepared)
    leaks = find_leaks((final, prepared.seed), test, splits["search"], splits["selection"])
    if winner.id == program_id(prepared.seed):
        return Verdict(
            is_promoted=False,
            improvement=None,
            sentence="on items that the search had not seen nothing was better than the seed: the seed stays",
            warnings=leaks.warnings,
        )
    question = question_of(config, evaluator.asker.target.model_id, prepared.seed, test)
    level = await asyncio.to_thread(attempts.take, question, program_id(final), config.alpha)
    ids = tuple(item.id for item in test if item.id not in leaks.test_ids)
    mine = await evaluator.results_of(final, ids)
    seeds = await evaluator.results_of(prepared.seed, ids)
    verdict = judge_winner(
        {one.item_id: one.score for one in mine},
        {one.item_id: one.score for one in seeds},
        _cluster(test),
        level.alpha,
        np.random.default_rng(config.seed),
    )
    warnings = (*leaks.warnings, *_tell_unscored(mine, seeds), *tell_level(level, config.alpha))
    return Verdict(**{**dict(verdict), "n_tests": level.number, "warnings": warnings})


def tell_level(level: Level, alpha: float) -> tuple[str, ...]:
    """Return what people should know of a test that is not the first of its family."""
    if level.number == 1:
        return ()
    return (
        f"this is test {level.number} of this prompt on some of these test items: it must pass at {level.alpha:.3g}, "
        f"so that all of them together promote a prompt that is no better with a chance of at most {alpha:g}; examples "
        "that no test has seen begin anew",
    )


def _cluster(items: Sequence[DatasetItem]) -> dict[str, int]:
    """Number of its family, by item id: a passage, a question in other words."""
    return {item.id: number for number, family in enumerate(find_families(items)) for item in family}


def _tell_unscored(mine: Sequence[ItemResult], seeds: Sequence[ItemResult]) -> tuple[str, ...]:
    """What the proof does with items that one of the two has no score on."""
    pairs = list(zip(mine, seeds, strict=True))
    lost = [one for one, other in pairs if one.score is None and other.score is not None]
    out = [other for _, other in pairs if other.score is None]
    told = []
    if lost:
        told.append(
            f"{len(lost)} of {len(pairs)} test items count as 0 for the winner, since it has no score on them and the "
            f"seed has; most often: {_most_often(lost)}"
        )
    if out:
        told.append(
            f"{len(out)} of {len(pairs)} test items count for neither prompt, since the seed has no score on them; "
            f"most often: {_most_often(out)}"
        )
    return tuple(told)


def _most_often(results: Sequence[ItemResult]) -> str:
    return Counter(one.reason or "not scored" for one in results).most_common(1)[0][0]
