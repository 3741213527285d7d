"""Analysis -> the plain tables of a report: gates, judge, failures, cost, insights, and what a rerun needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import yaml

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.rules import Insight
from neuroforge.experiments.analysis.words import say_difference, say_value
from neuroforge.experiments.reporting.contestants import Contestant

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reproduction:
    """What it takes to run it again."""

    command: str
    config: str
    """YAML of the whole configuration, defaults written out."""
    provenance: Pairs


def list_costs(analysis: Analysis) -> Pairs:
    """Return what the run took beside what it was estimated to take."""
    found: list[tuple[str, str]] = []
    if (progress := analysis.progress) is not None:
        found += [
            ("Cells done", f"{progress.n_done:,} of {progress.n_cells:,}"),
            ("Failed calls", f"{progress.n_errors:,}"),
            ("From the cache", f"{progress.n_cached:,}"),
            ("Tokens", f"{progress.n_tokens:,}"),
            ("Cost", f"{progress.cost_usd:.4g} USD"),
            ("Time", say_duration(progress.elapsed_s)),
        ]
    if (estimate := analysis.estimate) is not None:
        most = estimate.n_prompt_tokens + estimate.n_completion_tokens_max
        found.append(
            (
                "Estimate before",
                f"{estimate.n_calls:,} calls, {most:,} tokens and {estimate.cost_usd_max:.4g} USD at most",
            )
        )
    return tuple(found)


def say_duration(seconds: float) -> str:
    """Return `41 s`, `5 min 21 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def say_time(at_s: float) -> str:
    """Return the UTC time of a Unix time."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%d %b %Y, %H:%M UTC")


def list_failures(analysis: Analysis, contestants: Sequence[Contestant]) -> tuple[tuple[Contestant, str, str], ...]:
    """Return contestant, what went wrong and how often."""
    return tuple(
        (one, what, f"{count:,}") for one in contestants for what, count in analysis.failures.get(one.id, {}).items()
    )


def list_judge(analysis: Analysis) -> Pairs:
    """Return how far the judge can be trusted; nothing without one."""
    judge = analysis.judge
    if judge is None:
        return ()
    found = [
        ("Judge", judge.judge_model),
        ("Trusted", "yes" if judge.is_trusted else "no: no winner is named from its grades"),
        ("Judged", f"{judge.n_judged:,}, {judge.n_unparsed:,} of them without a readable verdict"),
    ]
    if judge.n_open:
        found.append(("Not judged yet", f"{judge.n_open:,} replies"))
    if judge.n_calls:
        told = f"{judge.n_calls:,} calls, {judge.n_tokens:,} tokens, ${judge.cost_usd:.4g}, within the budget"
        found.append(("Took in the last run", told))
    if judge.flip_rate is not None:
        rate = judge.flip_rate
        told = f"{say_value('quality', rate.mean)} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
        found.append(("Verdicts that turned with the order", told))
    if judge.kappa is not None:
        kappa = judge.kappa
        found.append(("Kappa against people", f"{kappa.mean:.2f} ({kappa.low:.2f} to {kappa.high:.2f}), n={kappa.n:,}"))
    return (*found, ("Note", judge.note))


def list_insights(analysis: Analysis) -> tuple[tuple[str, ...], ...]:
    """Return task, better model, other model, quality, difference and n; each pair once."""
    return tuple(_list_insight(one) for one in analysis.insights if one.difference.mean >= 0)


def _list_insight(one: Insight) -> tuple[str, ...]:
    is_certain = one.difference.low > 0
    return (
        one.task or "all tasks",
        one.model_id,
        one.other_model_id,
        "–" if one.quality is None else say_value("quality", one.quality),
        f"{100 * one.difference.mean:+.1f} ({say_difference('quality', one.difference)})",
        f"{one.difference.n:,}",
        "95 % interval above 0, uncorrected" if is_certain else "open",
    )


def tell_reproduction(analysis: Analysis) -> Reproduction:
    """Return command, configuration and provenance."""
    config = yaml.safe_dump(analysis.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
    return Reproduction(
        command=f"neuroforge experiment rerun {analysis.experiment_id}",
        config=config,
        provenance=tuple(analysis.provenance.items()),
    )
