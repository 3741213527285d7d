"""What the stages came to -> OptimizationResult."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan, PromptTemplate
from neuroforge.contracts.prompt_worth import Assessment
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.assess import PromptQualityAssessor
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.prepare import Prepared, seed_of
from neuroforge.prompts.promote import Verdict
from neuroforge.prompts.provenance import find_versions, run_id
from neuroforge.prompts.race import estimate
from neuroforge.prompts.render import to_text
from neuroforge.prompts.space import TaskKind, kind_of
from neuroforge.prompts.suggest import Suggestions
from neuroforge.prompts.workspace import Workspace

MAX_REASONS = 3


@dataclass(frozen=True)
class Searched:
    """A search at its end, and what it led to."""

    engine: PromptEvolutionEngine
    evaluator: Evaluator
    winner: PromptCandidate
    final: PromptProgram
    """The winner as it was tested."""
    verdict: Verdict
    workspace: Workspace
    warnings: tuple[str, ...]
    template: PromptTemplate | None
    """Of the winner, where structures were searched."""


def conclude(
    config: OptimizeConfig, prepared: Prepared, plan: OptimizePlan, suggestions: Suggestions, searched: Searched
) -> OptimizationResult:
    """Return the result of a run that measured."""
    engine, winner, verdict = searched.engine, searched.winner, searched.verdict
    optimized = searched.final if verdict.is_promoted else prepared.seed
    scores = _scores(engine, winner, verdict)
    return OptimizationResult(
        id=run_id(config),
        name=config.name,
        task_kind=_kind(prepared),
        original=prepared.seed,
        optimized=optimized,
        text=to_text(optimized),
        is_promoted=verdict.is_promoted,
        sentence=verdict.sentence,
        improvement=verdict.improvement,
        p_value=verdict.p_value,
        alpha=verdict.alpha,
        n_tests=verdict.n_tests,
        scores=scores,
        search_test_gap=scores["search"] - scores["optimized"] if {"search", "optimized"} <= set(scores) else None,
        plan=plan,
        tested=searched.final,
        template=searched.template,
        assessments=_assess(config, prepared, searched),
        findings=suggestions.findings,
        suggestions=suggestions.programs,
        contributions={name: one.gain for name, one in sorted(engine.state.credits.items())},
        written_by_model=searched.workspace.beside.written_by_model,
        lineage=_lineage(engine, winner),
        front=engine.front(),
        ended_because=engine.state.ended_because,
        writers=suggestions.writers,
        n_candidates=len(engine.state.candidates),
        **_spend(searched.workspace),
        labels=prepared.shared_labels,
        data_sha256=prepared.data_sha256,
        versions=find_versions(searched.evaluator.asker.target),
        warnings=(*searched.warnings, *_tell_errors(engine.state), *verdict.warnings),
    )


def conclude_unmeasured(
    config: OptimizeConfig, plan: OptimizePlan, suggestions: Suggestions, workspace: Workspace
) -> OptimizationResult:
    """Return the result of a run without examples: suggestions, and no claim."""
    seed = seed_of(config)
    return OptimizationResult(
        id=run_id(config),
        name=config.name,
        original=seed,
        optimized=seed,
        text=to_text(seed),
        is_promoted=False,
        sentence="there are no examples, so nothing was measured: the suggestions may or may not be better",
        plan=plan,
        assessments=_assess_unmeasured(seed, suggestions, workspace),
        findings=suggestions.findings,
        suggestions=suggestions.programs,
        written_by_model=workspace.beside.written_by_model,
        writers=suggestions.writers,
        **_spend(workspace),
        warnings=suggestions.warnings,
    )


def _kind(prepared: Prepared) -> TaskKind:
    return kind_of(tuple(prepared.by_id.values()))


def _assess(config: OptimizeConfig, prepared: Prepared, searched: Searched) -> dict[str, Assessment]:
    """Seed and winner by the test; where only the seed was left by the selection, which it did not win by luck."""
    assessor = PromptQualityAssessor(_kind(prepared), searched.workspace.earlier.rows)
    rng, evaluator = np.random.default_rng(config.seed), searched.evaluator

    def measured(selected: PromptProgram, tested: PromptProgram) -> Estimate | None:
        for program, split in ((tested, "test"), (selected, "selection")):
            found = [evaluator.log.find(evaluator.asker.key(program, item)) for item in prepared.splits[split]]
            if scores := [one.score for one in found if one is not None and one.score is not None]:
                return estimate(scores, rng)
        return None

    seed, final = prepared.seed, searched.final
    told = {"original": assessor.score(seed, measured(seed, seed))}
    if final != seed:
        told["winner"] = assessor.score(final, measured(searched.winner.program, final))
        told["improvement"] = assessor.score_improvement(seed, final, searched.verdict.improvement)
    return told


def _assess_unmeasured(seed: PromptProgram, suggestions: Suggestions, workspace: Workspace) -> dict[str, Assessment]:
    """The seed, and what each suggestion would gain."""
    assessor = PromptQualityAssessor(kind_of(()), workspace.earlier.rows)
    gains = {
        f"gain of suggestion {number}": assessor.score_improvement(seed, one)
        for number, one in enumerate(suggestions.programs, start=1)
    }
    return {"original": assessor.score(seed), **gains}


def _spend(workspace: Workspace) -> dict[str, Any]:
    spent = workspace.spent()
    return {**spent._asdict(), "elapsed_s": workspace.watch.elapsed_s}


def _scores(engine: PromptEvolutionEngine, winner: PromptCandidate, verdict: Verdict) -> dict[str, float]:
    """Of the search scores, not what it climbs: only these can be compared with the test's."""
    told = [one for one in engine.state.evaluations if one.candidate_id == winner.id]
    searched = [score for one in told for score in one.scores if score is not None]
    scores = {
        "original": verdict.seed_score,
        "optimized": verdict.winner_score,
        "search": float(np.mean(searched)) if searched else None,
    }
    return {name: value for name, value in scores.items() if value is not None}


def _tell_errors(state: EvolutionState) -> tuple[str, ...]:
    """Rows of the search that are errors, by what happened."""
    counts: Counter[str] = Counter()
    for one in state.evaluations:
        counts.update(one.errors)
    if not counts:
        return ()
    n_asked = sum(len(one.item_ids) for one in state.evaluations)
    told = "; ".join(f"{n} x {reason}" for reason, n in counts.most_common(MAX_REASONS))
    return (f"{counts.total()} of {n_asked} answers of the search have no score: {told}",)


def _lineage(engine: PromptEvolutionEngine, winner: PromptCandidate) -> tuple[PromptCandidate, ...]:
    """The winner, its first parent, that one's, and so on to the seed."""
    found = [winner]
    while found[-1].parents:
        found.append(engine.state.candidate(found[-1].parents[0]))
    return tuple(found)
