"""Finished matrix -> a judge's grades of what no scorer can score -> scores.jsonl, cells.parquet, JudgeReport."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import combinations
from pathlib import Path

from neuroforge.contracts.analysis import JudgeReport
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import CellScore, Judge
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.scores import Score
from neuroforge.errors import NeuroForgeError, first_of
from neuroforge.experiments.compact import compact
from neuroforge.experiments.family import relatives_of_judge
from neuroforge.experiments.judge_estimate import CALLS_AT_ONCE
from neuroforge.experiments.judge_report import report_on_judge
from neuroforge.experiments.judge_session import JudgeModels, JudgeSession
from neuroforge.experiments.judge_work import JudgedCell, read_work
from neuroforge.experiments.scores import ScoreLog
from neuroforge.experiments.verdicts import Verdict, VerdictLog, read_verdicts, score_cells
from neuroforge.scoring.judge import (
    GRADE_SCHEMA,
    PREFERENCE_SCHEMA,
    ask_for_grade,
    ask_for_preference,
    read_grade,
    read_preference,
)


class LlmJudge:
    """Grades by rubric, or compares pairs in both orders. What was judged once is not judged again.

    Items whose scorer is `judge` are its work; what its calls take is within the run's budget (docs/decisions/141).
    """

    def __init__(
        self,
        models: JudgeModels,
        n_at_once: int = CALLS_AT_ONCE,
        tags_by_model: Mapping[str, Sequence[str]] | None = None,
        now: Clock = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Args:
        n_at_once: Calls to the judge.
        tags_by_model: For families (`family:NAME`).
        """
        self._models = models
        self._n_at_once = n_at_once
        self._tags = tags_by_model or {}
        self._now = now
        self._sleep = sleep
        self._session: JudgeSession | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """Let no further call start; may come from another thread. `grade` returns with what there is."""
        self._is_cancelled = True
        if (session := self._session) is not None:
            session.cancel()

    async def grade(self, results: MatrixResult) -> JudgeReport | None:
        """Judge what has no grade yet, and write cells.parquet anew; None = no judge was asked for.

        A call that fails leaves its cells without a grade for the next run, and so does a budget that ends; a reply
        that cannot be read leaves them unscored. After five failures in a row the rest is left too. The report counts
        what is left.

        Raises:
            DataError: A file of the experiment is missing or damaged.
            ConflictError: Another process works in the directory.
            DiskFull: Grades could not be kept; those before are whole.
        """
        plan, judge = results.plan, results.plan.config.judge
        if judge is None:
            return None
        work = await asyncio.to_thread(read_work, plan, judge)
        with (
            closing(ScoreLog(Path(plan.directory))) as log,
            closing(JudgeSession(plan, judge, self._models, self._now, self._sleep)) as session,
        ):
            self._session = session
            if self._is_cancelled:  # before there was a session to stop
                session.cancel()
            run = self._compare if judge.mode == "pairwise" else self._grade
            await run(session, work, log)
        await asyncio.to_thread(compact, plan)
        relatives = relatives_of_judge(plan.config, self._tags)
        return await asyncio.to_thread(report_on_judge, plan, judge, relatives, session.calls)

    async def report(self, results: MatrixResult) -> JudgeReport | None:
        """Return what is known of the judge from what it has said, without a call; None = no judge was asked for.

        Raises:
            DataError: A file of the experiment is missing or damaged.
        """
        plan, judge = results.plan, results.plan.config.judge
        if judge is None:
            return None
        return await asyncio.to_thread(report_on_judge, plan, judge, relatives_of_judge(plan.config, self._tags))

    async def _grade(self, session: JudgeSession, work: Sequence[JudgedCell], log: ScoreLog) -> None:
        async def judge_one(cell: JudgedCell) -> None:
            said = await session.ask(ask_for_grade(cell.item, cell.reply, session.judge.rubric), GRADE_SCHEMA)
            if said is not None:
                log.append([self._as_score(session.judge, cell.cell_id, read_grade(said))])

        await self._all([partial(judge_one, cell) for cell in work if not cell.is_judged])

    async def _compare(self, session: JudgeSession, work: Sequence[JudgedCell], log: ScoreLog) -> None:
        known = await asyncio.to_thread(read_verdicts, session.directory, session.judge.model_id)
        verdicts = VerdictLog(session.directory)
        groups: dict[tuple[int, int], list[JudgedCell]] = defaultdict(list)
        for cell in work:
            groups[cell.item_index, cell.repeat].append(cell)

        async def judge_group(cells: Sequence[JudgedCell]) -> None:
            found = [await self._compare_two(session, a, b, known, verdicts) for a, b in combinations(cells, 2)]
            if None not in found:
                scores = score_cells([cell.cell_id for cell in cells], [one for one in found if one is not None])
                log.append(self._as_score(session.judge, cell_id, score) for cell_id, score in scores.items())

        try:
            open_groups = [cells for cells in groups.values() if not all(cell.is_judged for cell in cells)]
            await self._all([partial(judge_group, cells) for cells in open_groups])
        finally:
            verdicts.close()

    async def _compare_two(
        self,
        session: JudgeSession,
        a: JudgedCell,
        b: JudgedCell,
        known: Mapping[tuple[str, str], Verdict],
        log: VerdictLog,
    ) -> Verdict | None:
        """None = the judge did not answer."""
        if (a.cell_id, b.cell_id) in known:
            return known[a.cell_id, b.cell_id]
        said = []
        for one, other in ((a, b), (b, a)):
            messages = ask_for_preference(a.item, one.reply, other.reply, session.judge.rubric)
            reply = await session.ask(messages, PREFERENCE_SCHEMA)
            if reply is None:
                return None
            said.append(read_preference(reply))
        verdict = Verdict(judge=session.judge.model_id, a=a.cell_id, b=b.cell_id, forward=said[0], backward=said[1])
        log.append(verdict)
        return verdict

    async def _all(self, todo: Sequence[Callable[[], Awaitable[None]]]) -> None:
        gate = asyncio.Semaphore(self._n_at_once)

        async def limited(one: Callable[[], Awaitable[None]]) -> None:
            async with gate:
                await one()

        try:
            async with asyncio.TaskGroup() as group:
                for one in todo:
                    group.create_task(limited(one))
        except* NeuroForgeError as errors:
            raise first_of(errors) from None

    def _as_score(self, judge: Judge, cell_id: str, score: Score) -> CellScore:
        return CellScore(cell_id=cell_id, scorer=f"judge:{judge.model_id}", score=score, at_s=self._now())
