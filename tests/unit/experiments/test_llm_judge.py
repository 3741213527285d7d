import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.analysis import JudgeReport
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import Budget, CellRequest, CellScore, Judge
from neuroforge.contracts.scores import Score
from neuroforge.errors import EngineUnavailable, NeuroForgeError, UnsupportedParameter
from neuroforge.experiments.facts import facts_of
from neuroforge.experiments.judge import LlmJudge
from neuroforge.experiments.judge_session import MAX_ATTEMPTS, MAX_FAILURES
from neuroforge.experiments.scores import ScoreLog
from neuroforge.scoring.judge import MAX_TOKENS
from tests.unit.experiments.run_fakes import Bench, FakeCaller, FakeHosted, config, item, status

RUBRIC = Judge(model_id="gemma", rubric="Be strict.")
PAIRWISE = Judge(model_id="gemma", mode="pairwise")
MODELS = ("alpha", "beta")


class FakeJudge:
    """Says what `say(system, user)` returns or raises; keeps what it was asked."""

    def __init__(self, say: Callable[[str, str], str]) -> None:
        self._say = say
        self.asked: list[str] = []
        self.options: list[dict[str, Any]] = []
        self.sleeps_s: list[float] = []

    async def chat(self, messages: list[JsonObject], model: str, **options: Any) -> JsonObject:
        self.asked.append(messages[1]["content"])
        self.options.append({"model": model, **options})
        await asyncio.sleep(0)  # as over a network: others are asked meanwhile
        said = self._say(messages[0]["content"], messages[1]["content"])
        usage = {"prompt_tokens": 100, "completion_tokens": 20}
        return {"choices": [{"message": {"content": said}}], "usage": usage}

    async def grade(self, results: MatrixResult) -> JudgeReport:
        async def sleep(wait_s: float) -> None:
            self.sleeps_s.append(wait_s)

        found = await LlmJudge(self, n_at_once=2, now=lambda: 7.0, sleep=sleep).grade(results)
        assert found is not None
        return found


def by_length(_system: str, user: str) -> str:
    """Grade 5 for a long answer, 1 for a short one."""
    return json.dumps({"reason": "length", "grade": 5 if "long" in user else 1})


def prefer_long(_system: str, user: str) -> str:
    first = user.index("<answer_a>")
    place = user.find("long", first)
    return json.dumps({"reason": "length", "better": "A" if place < user.index("<answer_b>") else "B"})


async def answered(home: Path, judge: Judge | None, n: int = 3, **options: Any) -> MatrixResult:
    """alpha says `long`, beta says `short`, to items that only a judge can score."""

    def behave(request: CellRequest) -> str:
        return "a long text" if request.cell.model_id == "alpha" else "short"

    bench = Bench(home, FakeCaller(behave), FakeHosted(*map(status, (*MODELS, "gemma"))))
    open_items = [item(number, scorer="judge", references=()) for number in range(n)]
    return await bench.run(config(*MODELS, judge=judge, **options), open_items)


def scores(results: MatrixResult) -> dict[str, list[float | None]]:
    """Of cells.parquet, by variant."""
    found: dict[str, list[float | None]] = {}
    for row in pq.read_table(results.cells).to_pylist():
        found.setdefault(row["variant_id"], []).append(row["score"])
    return found


def label(results: MatrixResult, value_by_variant: dict[str, Sequence[float]]) -> None:
    """People's grades, item by item."""
    log = ScoreLog(Path(results.plan.directory))
    left = {variant: list(values) for variant, values in value_by_variant.items()}
    for row in pq.read_table(results.cells).to_pylist():
        if left.get(row["variant_id"]):
            value = left[row["variant_id"]].pop(0)
            log.append([CellScore(cell_id=row["cell_id"], scorer="human", score=Score(value=value), at_s=1.0)])
    log.close()


async def test_without_a_judge_there_is_nothing_to_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeCaller(), FakeHosted(status("alpha")))
    results = await bench.run(config("alpha"), [item()])
    assert await LlmJudge(FakeJudge(by_length)).grade(results) is None


async def test_grades_become_the_cells_scores(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, RUBRIC), FakeJudge(by_length)
    report = await judge.grade(results)
    assert scores(results) == {"alpha": [1.0] * 3, "beta": [0.0] * 3}
    assert (report.judge_model, report.n_judged, report.n_unparsed, report.is_trusted) == ("gemma", 6, 0, True)
    assert pq.read_table(results.cells)["scorer"].to_pylist() == ["judge:gemma"] * 6
    assert "not compared with people's" in report.note


async def test_the_judge_is_asked_for_json_without_chance(tmp_path: Path) -> None:
    judge = FakeJudge(by_length)
    await judge.grade(await answered(tmp_path, RUBRIC, n=1))
    assert judge.options[0]["model"] == "gemma"
    assert judge.options[0]["temperature"] == 0
    assert judge.options[0]["response_format"]["json_schema"]["schema"]["required"] == ["reason", "grade"]


async def test_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, RUBRIC), FakeJudge(by_length)
    await judge.grade(results)
    assert await judge.grade(results) == await LlmJudge(judge).report(results)
    assert len(judge.asked) == 6


async def test_a_reply_that_cannot_be_read_leaves_the_cell_unscored(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC)
    judge = FakeJudge(lambda _system, user: "Lovely!" if "long" in user else '{"reason": "x", "grade": 2}')
    report = await judge.grade(results)
    assert scores(results) == {"alpha": [None] * 3, "beta": [0.25] * 3}
    assert (report.n_judged, report.n_unparsed) == (3, 3)


async def test_a_judge_without_json_is_asked_without_it(tmp_path: Path) -> None:
    judge: FakeJudge

    def say(_system: str, _user: str) -> str:
        if "response_format" in judge.options[-1]:
            raise UnsupportedParameter("no response_format")
        return "Grade: 4"

    judge = FakeJudge(say)
    report = await judge.grade(await answered(tmp_path, RUBRIC))
    assert report.n_judged == 6
    assert sum("response_format" in one for one in judge.options) <= 2


async def test_a_passing_failure_is_tried_again(tmp_path: Path) -> None:
    errors: list[NeuroForgeError] = [EngineUnavailable("busy"), EngineUnavailable("busy")]

    def say(system: str, user: str) -> str:
        if errors:
            raise errors.pop()
        return by_length(system, user)

    judge = FakeJudge(say)
    assert (await judge.grade(await answered(tmp_path, RUBRIC))).n_judged == 6
    assert len(judge.sleeps_s) == 2


async def test_a_judge_that_is_down_is_given_up_and_its_cells_wait_for_the_next_run(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC, n=10)

    def down(_system: str, _user: str) -> str:
        raise EngineUnavailable("gone")

    judge = FakeJudge(down)
    report = await judge.grade(results)
    assert report.n_judged == 0
    assert "20 replies are not judged yet, since it failed and was given up (gone)" in report.note
    assert len(judge.asked) <= MAX_ATTEMPTS * (MAX_FAILURES + 1)
    assert (await FakeJudge(by_length).grade(results)).n_judged == 20


async def test_judge_and_contestants_share_the_budget_of_calls(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, RUBRIC, budget=Budget(max_calls=10)), FakeJudge(by_length)
    report = await judge.grade(results)
    assert (len(judge.asked), report.n_calls, report.n_judged, report.n_open) == (4, 4, 4, 2)
    assert "2 replies are not judged yet, since the run was stopped (max_calls)" in report.note


async def test_attempts_that_failed_count_as_calls(tmp_path: Path) -> None:
    def down(_system: str, _user: str) -> str:
        raise EngineUnavailable("gone")

    report = await FakeJudge(down).grade(await answered(tmp_path, RUBRIC, n=1))
    assert (report.n_calls, report.n_tokens, report.n_open) == (2 * MAX_ATTEMPTS, 0, 2)


async def test_the_judges_tokens_and_money_count_in_the_budget(tmp_path: Path) -> None:
    tokens = await answered(tmp_path / "tokens", RUBRIC, budget=Budget(max_tokens=6 * 15 + 100))
    report = await FakeJudge(by_length).grade(tokens)
    # A grade takes 120 tokens; both calls that start at once are paid.
    assert (report.n_calls, report.n_tokens) == (2, 240)
    money = await answered(tmp_path / "money", RUBRIC, budget=Budget(max_cost_usd=6 * 20e-6 + 100e-6))
    report = await FakeJudge(by_length).grade(money)
    # A grade costs 100 + 2 * 20 millionths of a dollar.
    assert (report.n_calls, round(report.cost_usd, 9)) == (2, 280e-6)


async def test_a_judge_that_is_cancelled_leaves_the_rest(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC)
    judging: LlmJudge

    def say(system: str, user: str) -> str:
        judging.cancel()
        return by_length(system, user)

    judge = FakeJudge(say)
    judging = LlmJudge(judge, n_at_once=1)
    report = await judging.grade(results)
    assert report is not None
    assert (len(judge.asked), report.n_judged, report.n_open) == (1, 1, 5)


async def test_a_judge_that_was_cancelled_before_it_began_is_not_asked(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, PAIRWISE), FakeJudge(prefer_long)
    judging = LlmJudge(judge)
    judging.cancel()
    report = await judging.grade(results)
    assert report is not None
    assert (judge.asked, report.n_open) == ([], 6)


async def test_what_a_judge_has_said_is_told_without_asking_it(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, RUBRIC, budget=Budget(max_calls=10)), FakeJudge(by_length)
    await judge.grade(results)
    report = await LlmJudge(judge).report(results)
    assert report is not None
    assert (len(judge.asked), report.n_calls, report.n_judged, report.n_open) == (4, 0, 4, 2)


@pytest.mark.parametrize(("judge", "n_calls"), [(RUBRIC, 2 * 3), (PAIRWISE, 2 * 3)])
async def test_the_estimate_counts_the_judges_calls_at_most(tmp_path: Path, judge: Judge, n_calls: int) -> None:
    plain = (await answered(tmp_path / "without", None, metrics=("cost",))).plan.estimate
    judged = (await answered(tmp_path / "with", judge)).plan.estimate
    assert judged.notes == (f"at most {n_calls} of the calls are to the judge gemma",)
    assert judged.n_calls - plain.n_calls == n_calls
    assert judged.n_completion_tokens_max - plain.n_completion_tokens_max == n_calls * MAX_TOKENS
    assert judged.cost_usd_max - plain.cost_usd_max > n_calls * MAX_TOKENS * 2e-6


async def test_what_was_judged_is_not_estimated_again(tmp_path: Path) -> None:
    await FakeJudge(by_length).grade(await answered(tmp_path, RUBRIC, budget=Budget(max_calls=10)))
    again = await answered(tmp_path, RUBRIC, budget=Budget(max_calls=10))
    assert (again.plan.judge, again.plan.estimate.n_calls) == (facts_of(status("gemma")), 2)


async def test_pairs_are_judged_in_both_orders_and_wins_become_scores(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, PAIRWISE), FakeJudge(prefer_long)
    report = await judge.grade(results)
    assert scores(results) == {"alpha": [1.0] * 3, "beta": [0.0] * 3}
    assert len(judge.asked) == 6
    assert sum(one.index("long") < one.index("short") for one in judge.asked) == 3
    assert report.flip_rate is not None
    assert report.flip_rate.mean == 0.0


async def test_a_judge_that_always_prefers_the_first_place_is_found_out(tmp_path: Path) -> None:
    results = await answered(tmp_path, PAIRWISE)
    report = await FakeJudge(lambda _system, _user: '{"reason": "x", "better": "A"}').grade(results)
    assert scores(results) == {"alpha": [0.5] * 3, "beta": [0.5] * 3}
    assert report.flip_rate is not None
    assert (report.flip_rate.mean, report.flip_rate.n) == (1.0, 3)


async def test_repeats_are_compared_apart_and_pairs_not_twice(tmp_path: Path) -> None:
    results, judge = await answered(tmp_path, PAIRWISE, n=2, repeats=2), FakeJudge(prefer_long)
    first = await judge.grade(results)
    assert (len(judge.asked), first.n_judged) == (8, 8)
    assert await judge.grade(results) == await LlmJudge(judge).report(results)
    assert len(judge.asked) == 8


async def test_pairs_that_cannot_be_read_are_counted_and_not_scored(tmp_path: Path) -> None:
    results = await answered(tmp_path, PAIRWISE)
    report = await FakeJudge(lambda _system, _user: "Hm.").grade(results)
    assert scores(results) == {"alpha": [None] * 3, "beta": [None] * 3}
    assert (report.n_judged, report.n_unparsed, report.flip_rate) == (0, 3, None)


async def test_agreement_with_people_is_measured(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC)
    label(results, {"alpha": [1.0, 0.8, 1.0], "beta": [0.0, 0.0, 0.4]})
    report = await FakeJudge(by_length).grade(results)
    assert report.kappa is not None
    assert (report.kappa.mean, report.kappa.n, report.is_trusted) == (1.0, 6, True)


async def test_a_judge_that_agrees_too_little_with_people_is_not_trusted(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC)
    label(results, {"alpha": [1.0, 0.0, 0.0], "beta": [0.0, 1.0, 0.0]})
    report = await FakeJudge(by_length).grade(results)
    assert report.kappa is not None
    assert report.kappa.mean < 0.4
    assert not report.is_trusted
    assert "no winner is named" in report.note


async def test_preferences_of_people_and_judge_are_compared_by_pair(tmp_path: Path) -> None:
    results = await answered(tmp_path, PAIRWISE)
    label(results, {"alpha": [0.9, 0.9, 0.2], "beta": [0.8, 0.1, 0.3]})
    report = await FakeJudge(prefer_long).grade(results)
    assert report.kappa is not None
    assert report.kappa.n == 3


async def test_labels_that_are_all_alike_tell_nothing(tmp_path: Path) -> None:
    results = await answered(tmp_path, RUBRIC)
    label(results, {"alpha": [1.0, 1.0]})
    report = await FakeJudge(by_length).grade(results)
    assert report.kappa is None
    assert "agreement with 2 labels is not known" in report.note


async def test_a_judge_of_the_family_is_reported(tmp_path: Path) -> None:
    kin = Judge(model_id="gemma", allow_same_family=True)
    results = await answered(tmp_path, kin)
    tags = {"gemma": ("family:alpha",)}
    report = await LlmJudge(FakeJudge(by_length), tags_by_model=tags).grade(results)
    assert report is not None
    assert "of the family of alpha, which it may favour" in report.note


async def test_a_judge_of_the_family_is_refused_before_the_first_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeCaller(), FakeHosted(*map(status, MODELS)))
    with pytest.raises(NeuroForgeError, match="favour their own kind"):
        await bench.run(config(*MODELS, judge=Judge(model_id="alpha")), [item(scorer="judge", references=())])
    assert bench.caller.n_calls == 0
