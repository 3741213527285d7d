"""`router explain`: what the router would decide for a prompt, and why; nothing is executed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.routing import CandidateView, Decision

COLUMNS = (
    "MODEL",
    "QUALITY",
    "90 %",
    "TOKENS",
    "SECONDS",
    "USD",
    "UTILITY",
    "COST",
    "LATENCY",
    "PREFIX",
    "SHARE",
    "OUT",
)
N_TASKS_SHOWN = 3


def explain(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What would be asked.")],
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="auto, auto:best, auto:fast or auto:cheap; or a model's id.")
    ] = "auto",
    system: Annotated[str | None, typer.Option("--system", help="Instructions before the prompt.")] = None,
    max_latency_s: Annotated[float | None, typer.Option("--max-latency", help="Bound in seconds.")] = None,
    max_cost_usd: Annotated[float | None, typer.Option("--max-cost", help="Bound in USD.")] = None,
    min_quality: Annotated[float | None, typer.Option("--min-quality", help="Bound, 0 to 1.")] = None,
    candidates: Annotated[list[str] | None, typer.Option("--candidate", help="Only these; repeatable.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which model would answer PROMPT, and why: predictions, filters, utility terms, shares."""
    bounds: dict[str, Any] = {
        "max_latency_s": max_latency_s,
        "max_cost_usd": max_cost_usd,
        "min_quality": min_quality,
        "candidates": candidates or None,
    }
    route = {name: value for name, value in bounds.items() if value is not None}
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.append({"role": "user", "content": prompt})
    with shared(context).client() as client:
        decision = client.route(messages, policy, **({"neuroforge": {"route": route}} if route else {}))
    if as_json:
        print_json(decision)
    else:
        print_decision(decision)


def print_decision(decision: "Decision") -> None:
    """Write a decision for people: who answers and why, the profile, then each candidate."""
    typer.echo(f"{decision.model_id}: {decision.reason}" + _drawn(decision))
    profile = decision.profile
    if profile is not None:
        tasks = sorted(profile.probability_by_task.items(), key=lambda pair: -pair[1])[:N_TASKS_SHOWN]
        shares = ", ".join(f"{task} {share:.0%}" for task, share in tasks)
        typer.echo(
            f"task {shares}; complexity {profile.complexity:.2f}; language {profile.language}; "
            f"about {profile.n_prompt_tokens} tokens in, {profile.n_output_tokens:.0f} out"
        )
    print_table(COLUMNS, [_row(one) for one in decision.candidates])
    typer.echo(
        f"policy {decision.policy}; router version {decision.router_version}; rules version {decision.rules_version}; "
        f"exploration {decision.exploration}; fleet {decision.snapshot_version}"
    )


def _drawn(decision: "Decision") -> str:
    return "" if decision.propensity is None else f" (chosen with probability {decision.propensity:.3f})"


def _row(one: "CandidateView") -> tuple[str, ...]:
    made, terms = one.prediction, one.utility
    predicted = ("-", "-", "-", _number(one.expected_latency_s), "-")
    if made is not None:
        predicted = (
            f"{made.quality:.3f}",
            f"{made.quality_low:.2f}-{made.quality_high:.2f}",
            f"{made.n_output_tokens:.0f}",
            f"{made.latency_s:.2f}",
            f"{made.cost_usd:.6f}",
        )
    weighed = ("-", "-", "-", "-")
    if terms is not None:
        weighed = (f"{terms.total:.3f}", f"{-terms.cost:z.3f}", f"{-terms.latency:z.3f}", f"{-terms.prefix:z.3f}")
    share = "-" if one.propensity is None else f"{one.propensity:.3f}"
    return (one.model_id, *predicted, *weighed, share, one.filtered or "-")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
