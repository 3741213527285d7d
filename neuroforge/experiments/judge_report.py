"""A judge's grades, its two orders and people's labels -> how far it can be trusted."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from neuroforge.contracts.analysis import JudgeReport
from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.contracts.experiments import Judge
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError
from neuroforge.experiments.judge_session import JudgeCalls
from neuroforge.experiments.judge_work import JudgedCell, read_work
from neuroforge.experiments.verdicts import read_verdicts
from neuroforge.statistics.agreement import cohens_kappa
from neuroforge.statistics.means import mean_interval

MIN_KAPPA = 0.4
"""Below it agreement is at most fair (Landis and Koch, Biometrics 33, 1977): no winner is named from such grades."""
GOOD = 0.5
"""Grades from here on count as good, where judge and people are compared."""


def report_on_judge(
    plan: ExperimentPlan, judge: Judge, relatives: Sequence[str] = (), calls: JudgeCalls | None = None
) -> JudgeReport:
    """Return what is known of the judge, from the experiment's files.

    Kappa is of `good` (0.5 and above) or not for a rubric, and of which variant is better, or neither, for pairs.

    Args:
        relatives: Contestants of its family.
        calls: What the run took of it; None = it was not asked.
    Raises:
        DataError: A file is missing or damaged.
    """
    work = read_work(plan, judge)
    notes: list[str] = []
    kappa = _kappa(work, judge, notes)
    is_trusted = kappa is None or kappa.mean >= MIN_KAPPA
    if not is_trusted:
        notes.append(
            f"it agrees too little with people (kappa below {MIN_KAPPA:g}): no winner is named from its grades"
        )
    if relatives:
        notes.append(f"it is of the family of {', '.join(relatives)}, which it may favour")
    calls = calls or JudgeCalls()
    n_open = sum(not cell.is_judged for cell in work)
    if n_open:
        notes.append(f"{n_open:,} replies are not judged yet{_why_open(calls)}: run the experiment again for them")
    flips, n_unread = _flips(plan, judge, work) if judge.mode == "pairwise" else (None, None)
    n_unscored = sum(cell.is_judged and cell.grade is None for cell in work)
    return JudgeReport(
        judge_model=judge.model_id,
        n_judged=sum(cell.grade is not None for cell in work),
        n_unparsed=n_unscored if n_unread is None else n_unread,
        flip_rate=flips,
        kappa=kappa,
        is_trusted=is_trusted,
        note="; ".join(notes),
        n_open=n_open,
        n_calls=calls.n_calls,
        n_tokens=calls.n_tokens,
        cost_usd=calls.cost_usd,
    )


def _why_open(calls: JudgeCalls) -> str:
    if calls.why_down is not None:
        return f", since it failed and was given up ({calls.why_down})"
    return f", since the run was stopped ({calls.stopped_by})" if calls.stopped_by is not None else ""


def _kappa(work: Sequence[JudgedCell], judge: Judge, notes: list[str]) -> Estimate | None:
    pairs = list(_preferences(work) if judge.mode == "pairwise" else _goodness(work))
    if not pairs:
        notes.append("its grades were not compared with people's: import labels to know how far it can be trusted")
        return None
    try:
        return cohens_kappa([said for said, _ in pairs], [label for _, label in pairs]).estimate()
    except DataError as error:
        notes.append(f"agreement with {len(pairs)} labels is not known: {error.message}")
        return None


def _goodness(work: Sequence[JudgedCell]) -> Iterator[tuple[bool, bool]]:
    for cell in work:
        if cell.grade is not None and cell.human is not None:
            yield cell.grade >= GOOD, cell.human >= GOOD


def _preferences(work: Sequence[JudgedCell]) -> Iterator[tuple[int, int]]:
    """Sign of the difference, for each two replies to the same item that both have graded."""
    groups: dict[tuple[int, int], list[JudgedCell]] = defaultdict(list)
    for cell in work:
        if cell.grade is not None and cell.human is not None:
            groups[cell.item_index, cell.repeat].append(cell)
    for cells in groups.values():
        for a, b in combinations(cells, 2):
            grades = (a.grade or 0.0) - (b.grade or 0.0), (a.human or 0.0) - (b.human or 0.0)
            yield int(np.sign(grades[0])), int(np.sign(grades[1]))


def _flips(plan: ExperimentPlan, judge: Judge, work: Sequence[JudgedCell]) -> tuple[Estimate | None, int]:
    """Share of pairs whose verdict turned with the order, and how many could not be read."""
    item_by_cell = {cell.cell_id: cell.item_index for cell in work}
    verdicts = [one for one in read_verdicts(Path(plan.directory), judge.model_id).values() if one.a in item_by_cell]
    settled = [(one.settled[1], item_by_cell[one.a]) for one in verdicts if one.settled is not None]
    n_unread = len(verdicts) - len(settled)
    if not settled:
        return None, n_unread
    turned, items = [float(is_flip) for is_flip, _ in settled], [item for _, item in settled]
    if len(set(items)) < 2 <= len(items):
        return None, n_unread
    rng = np.random.default_rng(plan.config.seed)
    return mean_interval(turned, items, (0.0, 1.0), rng=rng).estimate(), n_unread
