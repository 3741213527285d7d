"""Everything that the report of an optimisation shows, ready to be printed: the templates only lay it out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import yaml
from markupsafe import Markup

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.contracts.rules import Estimate
from neuroforge.pages.curve import Step, draw_curve
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.prepare import labels_of
from neuroforge.prompts.program import diff_programs, diff_texts, to_yaml
from neuroforge.prompts.reporting.examples import Examples, find_examples
from neuroforge.prompts.reporting.front import FrontRow, build_front, draw_front
from neuroforge.prompts.reporting.lineage import Ancestor, build_lineage
from neuroforge.prompts.reporting.parts import OperatorWorth, PartWorth, list_operators, list_parts
from neuroforge.prompts.space import build_space
from neuroforge.prompts.tables import Measured
from neuroforge.prompts.ways import VOTES, Ways

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Finished:
    """A run at its end, as far as a report needs it."""

    config: OptimizeConfig
    result: OptimizationResult
    state: EvolutionState
    measured: Sequence[Measured]
    items: Mapping[str, DatasetItem]


@dataclass(frozen=True)
class ReportView:
    """What the templates are given."""

    result: OptimizationResult
    is_changed: bool
    """Whether the winner is another prompt than the seed, promoted or not."""
    diff: tuple[tuple[str, str], ...]
    """Lines of the winner's text against the seed's, each with its class."""
    changes: tuple[str, ...]
    program: str
    """The winner as YAML."""
    curves: tuple[tuple[str, Markup], ...]
    lineage: tuple[Ancestor, ...]
    front: tuple[FrontRow, ...]
    plots: tuple[tuple[str, Markup], ...]
    operators: tuple[OperatorWorth, ...]
    parts: tuple[PartWorth, ...]
    examples: Examples
    spend: Pairs
    config: str
    provenance: Pairs


def build_view(finished: Finished) -> ReportView:
    """Return the view."""
    result, state, config = finished.result, finished.state, finished.config
    winner, seed = result.lineage[0], state.candidates[0]
    front = build_front(state, result.front, winner.id)
    items = list(finished.items.values())
    ways = Ways(labels_of(items), result.plan.is_by_labels, config.promote, takes_text=True, most_votes=max(VOTES))
    return ReportView(
        result=result,
        is_changed=winner.id != seed.id,
        diff=tuple((_css(line), line) for line in diff_texts(seed.program, result.winner).splitlines()),
        changes=diff_programs(seed.program, result.winner),
        program=to_yaml(result.winner),
        curves=tuple(_draw_curves(state)),
        lineage=build_lineage(state, winner.id),
        front=front,
        plots=draw_front(front),
        operators=list_operators(state),
        parts=list_parts(state, build_space(seed.program, items, config.max_demonstrations, (), ways)),
        examples=find_examples(finished.measured, finished.items, winner.id, seed.id),
        spend=tuple(_list_spend(config, result)),
        config=yaml.safe_dump(
            config.model_dump(mode="json", exclude={"items"}), sort_keys=False, allow_unicode=True, width=100
        ),
        provenance=(
            ("Seed", str(config.seed)),
            ("SHA-256 of the examples, in their order", result.data_sha256 or "unknown"),
            *((f"Version of {name}", value) for name, value in result.versions.items()),
        ),
    )


def say(found: Estimate) -> str:
    """Return `0.620 [0.500, 0.730], n=20`."""
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}], n={found.n}"


def span(found: Estimate) -> str:
    """Return `+0.120 [0.040, 0.200]`."""
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _draw_curves(state: EvolutionState) -> Iterator[tuple[str, Markup]]:
    known = [(one, one.fitness) for one in state.history if one.fitness is not None]
    amounts = (
        ("calls", [float(one.n_calls) for one, _ in known]),
        ("tokens", [float(one.n_tokens) for one, _ in known]),
    )
    for what, values in amounts:
        if not any(values):
            continue
        steps = [
            Step(x, fitness, f"generation {one.generation}, {x:,.0f} {what}: {say(fitness)}")
            for x, (one, fitness) in zip(values, known, strict=True)
        ]
        title = f"Best so far against {what}"
        yield title, draw_curve(steps, title, (f"{what} of the search", "fitness"), lambda value: f"{value:,.0f}")


def _list_spend(config: OptimizeConfig, result: OptimizationResult) -> Iterator[tuple[str, str]]:
    budget, plan = config.budget, result.plan
    limits = {
        "calls": budget.max_calls,
        "tokens": budget.max_tokens,
        "USD": budget.max_cost_usd,
        "seconds": budget.max_duration,
    }
    yield "Calls, those beside the measured ones too", f"{result.n_calls:,}"
    yield "Prompt tokens", f"{result.n_prompt_tokens:,}"
    yield "Answered tokens", f"{result.n_completion_tokens:,}"
    yield "Cost", f"{result.cost_usd:.4g} USD"
    yield "Time, over all starts", str(timedelta(seconds=round(result.elapsed_s)))
    yield "Budget", ", ".join(f"{value:,g} {name}" for name, value in limits.items() if value is not None) or "none"
    if plan.n_calls_max is not None:
        yield (
            "Told beforehand",
            (
                f"at most {plan.n_calls_max:,} calls, {plan.n_test_calls:,} for the test, "
                f"{plan.n_beside_calls_max:,} beside them"
            ),
        )
    yield "The search ended because", result.ended_because or "there was nothing to search on"


def _css(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "where"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")
