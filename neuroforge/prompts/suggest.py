"""A seed -> findings about it, who can write, and improvements that models agree on: the stages without examples."""

from collections.abc import Sequence
from typing import NamedTuple

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import Finding, OptimizeConfig
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.analyse import analyse_by_models, analyse_by_rules
from neuroforge.prompts.ask import Models
from neuroforge.prompts.improve import NotingModels, Proposer, find_writers
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import kind_of
from neuroforge.prompts.validate import validate

N_MENDED = 3
"""Findings, the gravest first, that models write against."""


class Suggestions(NamedTuple):
    """What models say and write about a seed."""

    findings: tuple[Finding, ...]
    writers: tuple[str, ...]
    programs: tuple[PromptProgram, ...]
    warnings: tuple[str, ...]


async def suggest(
    config: OptimizeConfig,
    seed: PromptProgram,
    items: Sequence[DatasetItem],
    client: NotingModels,
    others: Sequence[str],
) -> Suggestions:
    """Return findings by rules and by models, and improvements of the seed; without the analysis only rules speak.

    Args:
        others: All models that may analyse, write and vote.
    """
    by_rules = analyse_by_rules(seed, kind_of(items))
    if not config.analyse:
        return Suggestions(by_rules, await _writers(config, client, others), (), ())
    by_models, refused = await analyse_by_models(seed, client, others)
    findings = (*by_rules, *by_models)
    writers = await _writers(config, client, others)
    programs = await _improve(seed, findings, writers, client, others)
    warnings = tuple(f"{model} could not be asked for findings: {why}" for model, why in refused.items())
    return Suggestions(findings, writers, programs, warnings)


async def _writers(config: OptimizeConfig, client: Models, others: Sequence[str]) -> tuple[str, ...]:
    return config.proposers if config.proposers is not None else await find_writers(client, others)


async def _improve(
    seed: PromptProgram,
    findings: Sequence[Finding],
    writers: Sequence[str],
    client: NotingModels,
    others: Sequence[str],
) -> tuple[PromptProgram, ...]:
    """What models write against the worst findings, as far as models agree that it is the same task."""
    proposer = Proposer(client, writers, lambda _candidate: ())
    worst = sorted((one for one in findings if one.score < 1.0), key=lambda one: one.score)[:N_MENDED]
    written = [await proposer.improve(seed, one, place) for place, one in enumerate(worst)]
    distinct = {program_id(one): one for one in written if one is not None}
    found = await validate(seed, tuple(distinct.values()), client, others)
    return tuple(one.program for one in found)
