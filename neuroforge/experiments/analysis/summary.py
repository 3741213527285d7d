"""Analysis in numbers -> what it says, in sentences, the most important first."""

from collections.abc import Iterator, Sequence

from neuroforge.contracts.analysis import BenchmarkScore, Comparison, GateResult, JudgeReport, MetricSummary
from neuroforge.experiments.analysis.words import say_amount, say_value

MAX_SLICES = 6
MAX_TRADES = 3
LEAST_SAVING = 1.2
"""A factor in time or money that is worth a word."""


def summarise_in_words(
    winner: str | None, summaries: Sequence[MetricSummary], comparisons: Sequence[Comparison],
    pareto: Sequence[str], judge: JudgeReport | None,
) -> Iterator[str]:  # fmt: skip
    """Yield who is better, what was planned, what that costs in time and money, and where it differs by dataset."""
    quality = [one for one in summaries if one.metric == "quality" and one.dataset is None and one.task is None]
    scored = sorted(
        (one for one in quality if one.estimate is not None),
        key=lambda one: -one.estimate.mean if one.estimate is not None else 0.0,
    )
    if not scored:
        yield _say_nothing_scored(quality)
        return
    overall = [one for one in comparisons if one.metric == "quality" and one.dataset is None and one.task is None]
    yield _say_winner(winner, scored, overall, judge)
    if judge is not None and not judge.is_trusted:
        return
    yield from (f"As planned: {one.sentence}." for one in overall if one.family == "planned")
    yield from _say_trade(scored, summaries, pareto)
    yield from _say_slices(summaries, comparisons)
    yield from _say_reach(overall)


def say_gates(gates: Sequence[GateResult]) -> Iterator[str]:
    """Yield one sentence a gate."""
    yield from (f"Gate {one.sentence}." for one in gates)


def say_benchmarks(benchmarks: Sequence[BenchmarkScore]) -> Iterator[str]:
    """Yield one sentence a suite and dataset: who reached what."""
    by_dataset: dict[tuple[str, str], list[BenchmarkScore]] = {}
    for one in benchmarks:
        by_dataset.setdefault((one.suite, one.dataset), []).append(one)
    for (suite, dataset), scores in by_dataset.items():
        told = ", ".join(
            f"{one.variant_id} {say_value('quality', one.estimate.mean)}" if one.estimate else f"{one.variant_id} none"
            for one in scores
        )
        yield f"Benchmark {suite}, {dataset}: {told}."


def _say_nothing_scored(quality: Sequence[MetricSummary]) -> str:
    n_errors, n_unscored = sum(one.n_errors for one in quality), sum(one.n_unscored for one in quality)
    return (
        f"Nothing was scored: {n_errors:,} calls failed, {n_unscored:,} replies have no score. "
        f"Nothing can be said about quality."
    )


def _say_winner(
    winner: str | None, scored: Sequence[MetricSummary], overall: Sequence[Comparison], judge: JudgeReport | None
) -> str:
    leader = scored[0]
    best = leader.estimate
    if best is None:
        raise AssertionError("only scored variants come here")
    reached = (
        f"{say_value('quality', best.mean)} (95 % interval {100 * best.low:.1f} to {100 * best.high:.1f}) "
        f"on {best.n:,} items"
    )
    if judge is not None and not judge.is_trusted:
        return (
            f"No winner is named, because the judge cannot be trusted: {judge.note}. "
            f"Ahead: {leader.variant_id}, {reached}."
        )
    if len(scored) == 1:
        return f"{leader.variant_id}: quality {reached}. There is nothing to compare it with."
    if winner is not None:
        others = "the other variant" if len(scored) == 2 else f"each of the other {len(scored) - 1} variants"
        return f"{winner} wins: quality {reached}; better than {others} by corrected paired tests."
    rivals = [one for one in overall if leader.variant_id in (one.a, one.b) and one.verdict == "no_difference_shown"]
    head = f"No winner: {leader.variant_id} is ahead with {reached}"
    if not rivals:
        return f"{head}, but not every other variant is shown to be worse."
    closest = max(rivals, key=lambda one: one.p_value)
    other = closest.b if closest.a == leader.variant_id else closest.a
    also = f" and {len(rivals) - 1} more" if len(rivals) > 1 else ""
    need = f", would need about {closest.n_needed:,}" if closest.n_needed is not None else ""
    return f"{head}, but no difference from {other}{also} is shown at n={closest.difference.n:,}{need}."


def _say_trade(
    scored: Sequence[MetricSummary], summaries: Sequence[MetricSummary], pareto: Sequence[str]
) -> Iterator[str]:
    """Yield what the other variants of the front give up in quality for what they save."""
    if len(pareto) < 2:
        return
    leader = next((one for one in scored if one.variant_id in pareto), None)
    if leader is None or leader.estimate is None:
        return
    found = {
        (one.metric, one.variant_id): one.estimate.mean
        for one in summaries
        if one.dataset is None and one.task is None and one.estimate is not None
    }
    sentences = 0
    for one in scored:
        if one.variant_id == leader.variant_id or one.variant_id not in pareto or one.estimate is None:
            continue
        if sentences == MAX_TRADES:
            break
        gains = []
        for metric, word in (("latency_s", "faster"), ("cost_usd", "cheaper")):
            mine, theirs = found.get((metric, one.variant_id)), found.get((metric, leader.variant_id))
            if mine is not None and theirs is not None and 0 < mine * LEAST_SAVING < theirs:
                gains.append(f"{theirs / mine:.1f} times {word}")
        if gains:
            lost = say_amount("quality", leader.estimate.mean - one.estimate.mean)
            sentences += 1
            saved = " and ".join(gains)
            yield f"{one.variant_id} is {saved} than {leader.variant_id}, at {lost} less quality on average."


def _say_slices(summaries: Sequence[MetricSummary], comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield who leads on each dataset and task; a task that is a dataset by another name is told once."""
    told: set[tuple[object, ...]] = set()
    sentences = []
    for dataset, task in dict.fromkeys((one.dataset, one.task) for one in summaries if one.dataset or one.task):
        means = {
            one.variant_id: one.estimate.mean
            for one in summaries
            if one.metric == "quality" and (one.dataset, one.task) == (dataset, task) and one.estimate is not None
        }
        key = tuple(means.items())
        if len(means) < 2 or key in told:
            continue
        told.add(key)
        leader = max(means, key=lambda one: means[one])
        own = [one for one in comparisons if one.metric == "quality" and (one.dataset, one.task) == (dataset, task)]
        where = f"On {dataset}" if dataset else f"On {task} tasks"
        reached = say_value("quality", means[leader])
        sentences.append(f"{where} {leader} leads with {reached}: {say_lead(leader, own, len(means) - 1)}.")
    yield from sentences[:MAX_SLICES]
    if len(sentences) > MAX_SLICES:
        yield f"{len(sentences) - MAX_SLICES} more datasets and tasks are in the tables."


def say_lead(leader: str, comparisons: Sequence[Comparison], n_others: int) -> str:
    """Return over how many others the corrected tests show a lead, by comparisons of one metric and slice."""
    n_beaten = sum(
        one.verdict == ("a_better" if one.a == leader else "b_better")
        for one in comparisons
        if leader in (one.a, one.b)
    )
    if n_beaten == n_others:
        return "better than the other" if n_others == 1 else "better than every other"
    return f"shown against {n_beaten} of {n_others}" if n_beaten else "no difference shown"


def _say_reach(overall: Sequence[Comparison]) -> Iterator[str]:
    reach = [one.minimum_detectable for one in overall if one.minimum_detectable is not None]
    if reach:
        low, high = 100 * min(reach), 100 * max(reach)
        span = f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f}"
        yield f"Quality differences below about {span} points would often be missed at this size (power .8)."
