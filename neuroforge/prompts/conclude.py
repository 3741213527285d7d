"""What the stages came to -> OptimizationResult."""

from dataclasses import dataclass

import numpy as np

from neuroforge.contracts.prompts import (
    OptimizationResult,
    OptimizeConfig,
    OptimizePlan,
    PromptCandidate,
    PromptProgram,
)
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.improve import Proposer
from neuroforge.prompts.promote import Verdict
from neuroforge.prompts.render import to_text
from neuroforge.prompts.suggest import Suggestions


@dataclass(frozen=True)
class Searched:
    """A search at its end, and what it led to."""

    engine: PromptEvolutionEngine
    evaluator: Evaluator
    proposer: Proposer
    winner: PromptCandidate
    verdict: Verdict


def conclude(
    config: OptimizeConfig, seed: PromptProgram, plan: OptimizePlan, suggestions: Suggestions, searched: Searched
) -> OptimizationResult:
    """Return the result of a run that measured."""
    engine, winner, verdict, proposer = searched.engine, searched.winner, searched.verdict, searched.proposer
    optimized = winner.program if verdict.is_promoted else seed
    spend = searched.evaluator.spend
    return OptimizationResult(
        name=config.name,
        original=seed,
        optimized=optimized,
        text=to_text(optimized),
        is_promoted=verdict.is_promoted,
        sentence=verdict.sentence,
        improvement=verdict.improvement,
        p_value=verdict.p_value,
        scores=_scores(engine, winner, verdict),
        plan=plan,
        findings=suggestions.findings,
        suggestions=suggestions.programs,
        contributions={name: one.gain for name, one in sorted(engine.state.credits.items())},
        written_by_model=proposer.n_written_by_model,
        lineage=_lineage(engine, winner),
        front=engine.front(),
        ended_because=engine.state.ended_because,
        n_candidates=len(engine.state.candidates),
        n_calls=spend.n_calls + proposer.n_calls,
        n_prompt_tokens=spend.n_prompt_tokens + proposer.n_prompt_tokens,
        n_completion_tokens=spend.n_completion_tokens + proposer.n_completion_tokens,
        warnings=(*verdict.warnings, *suggestions.warnings),
    )


def conclude_unmeasured(
    config: OptimizeConfig, seed: PromptProgram, plan: OptimizePlan, suggestions: Suggestions
) -> OptimizationResult:
    """Return the result of a run without examples: suggestions, and no claim."""
    return OptimizationResult(
        name=config.name,
        original=seed,
        optimized=seed,
        text=to_text(seed),
        is_promoted=False,
        sentence="there are no examples, so nothing was measured: the suggestions may or may not be better",
        plan=plan,
        findings=suggestions.findings,
        suggestions=suggestions.programs,
        warnings=suggestions.warnings,
    )


def _scores(engine: PromptEvolutionEngine, winner: PromptCandidate, verdict: Verdict) -> dict[str, float]:
    is_measured = winner.id in {one.id for one in engine.ranking()}
    searched = list(engine.fitness_of(winner.id).values()) if is_measured else []
    scores = {
        "original": verdict.seed_score,
        "optimized": verdict.winner_score,
        "search": float(np.mean(searched)) if searched else None,
    }
    return {name: value for name, value in scores.items() if value is not None}


def _lineage(engine: PromptEvolutionEngine, winner: PromptCandidate) -> tuple[PromptCandidate, ...]:
    """The winner, its first parent, that one's, and so on to the seed."""
    found = [winner]
    while found[-1].parents:
        found.append(engine.state.candidate(found[-1].parents[0]))
    return tuple(found)
