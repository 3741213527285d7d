"""Configuration -> calls -> cells.parquet: budgets, failures, resumption, cache."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from neuroforge.contracts.analysis import CELL_COLUMNS
from neuroforge.contracts.experiment_run import Lane, MatrixResult
from neuroforge.contracts.experiments import (
    Budget,
    CellReply,
    CellRequest,
    Decoding,
    Gate,
    Judge,
    Progress,
    PromptTemplate,
)
from neuroforge.contracts.models import EngineStats, ModelState
from neuroforge.errors import (
    AuthenticationError,
    ConflictError,
    ContextLengthExceeded,
    DataError,
    DiskFull,
    EngineOverloaded,
    EngineUnavailable,
    ModelNotFound,
    NeuroForgeError,
    PermissionDenied,
    RequestError,
)
from neuroforge.experiments.local import LocalExecutor
from neuroforge.experiments.matrix import Matrix
from tests.unit.experiments.run_fakes import Bench, FakeCaller, FakeHosted, config, failing, item, items, status


def rows_of(result: MatrixResult) -> list[dict[str, Any]]:
    table = pq.read_table(result.cells)
    assert tuple(table.column_names) == CELL_COLUMNS
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


async def test_every_cell_is_asked_once_scored_and_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, hosted=FakeHosted(status("a"), status("b")))
    prompts = (PromptTemplate(name="plain"), PromptTemplate(name="brief", template="{{ query }} Be brief."))
    result = await bench.run(config("a", "b", prompts=prompts, repeats=2), items(3))
    rows = rows_of(result)
    assert result.state == "done"
    assert len(rows) == len({row["cell_id"] for row in rows}) == 3 * 2 * 2 * 2
    assert set(bench.caller.calls.values()) == {1}
    assert Counter(row["variant_id"] for row in rows) == {"a|plain": 6, "a|brief": 6, "b|plain": 6, "b|brief": 6}
    assert {(row["score"], row["scorer"], row["reply"], row["ttft_s"]) for row in rows} == {
        (1.0, "normalized", "yes", 0.25)
    }
    assert rows[0]["cost_usd"] == pytest.approx((10 * 1.0 + 5 * 2.0) / 1e6)


async def test_progress_is_told_with_means_and_intervals(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    result = await bench.run(config(), items(8))
    assert result.progress.n_done == result.progress.n_cells == 8
    assert result.progress.n_tokens == 8 * 15
    mean = result.progress.means["small"]
    assert (mean.mean, mean.n) == (1.0, 8)
    assert mean.low == pytest.approx(0.6756, abs=1e-4)  # Wilson, 8 of 8
    assert bench.reports[-1] == result.progress
    assert (tmp_path / "experiments" / "exp-1" / "progress.json").exists()


async def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = await bench.run(config(), items(5))
    again = await bench.run(config())
    assert bench.caller.n_calls == 5
    assert rows_of(again) == rows_of(first)
    assert again.progress.means == first.progress.means
    assert len(bench.scored) == 5


async def test_the_cache_answers_another_experiment_without_a_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = await bench.run(config(), items(5))
    second = await bench.run(config(), items(5), name="exp-2")
    assert bench.caller.n_calls == 5
    assert second.progress.n_cached == 5
    assert second.progress.cost_usd == 0
    assert [row["score"] for row in rows_of(second)] == [row["score"] for row in rows_of(first)]
    assert {(row["is_cached"], row["latency_s"]) for row in rows_of(second)} == {(True, None)}


async def test_without_use_cache_nothing_is_read_or_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.run(config(use_cache=False), items(2))
    assert not (tmp_path / "experiments" / "cache.sqlite").exists()
    await bench.run(config(), items(2), name="exp-2")
    await bench.run(config(use_cache=False), items(2), name="exp-3")
    assert bench.caller.n_calls == 6


async def test_speed_is_measured_and_never_taken_from_the_cache(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.run(config(), items(2))
    result = await bench.run(config(metrics=("quality", "speed")), items(2), name="exp-2")
    assert result.progress.n_cached == 0
    assert {row["latency_s"] for row in rows_of(result)} == {0.5}


async def test_replies_older_than_the_retention_are_asked_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.run(config(), items(2))
    bench.clock.advance(101)
    result = await bench.run(config(), items(2), name="exp-2", retention_s=100.0)
    assert result.progress.n_cached == 0


async def test_other_weights_under_the_same_name_are_asked_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.run(config(), items(2))
    bench.hosted.statuses["small"] = status(digest="other")
    result = await bench.run(config(), items(2), name="exp-2")
    assert result.progress.n_cached == 0


@pytest.mark.parametrize(
    ("budget", "name", "n_calls"),
    [
        (Budget(max_calls=3), "max_calls", 3),
        (Budget(max_tokens=31), "max_tokens", 4),  # two at once, 15 tokens each: 30 are not enough, 45 and 60 are
        (Budget(max_cost_usd=0.00002), "max_cost_usd", 2),  # 0.00002 USD a call
    ],
)
async def test_a_used_up_budget_leaves_cells_open_for_the_next_run(
    tmp_path: Path, budget: Budget, name: str, n_calls: int
) -> None:
    bench = Bench(tmp_path)
    result = await bench.run(config(budget=budget), items(9))
    assert (result.state, result.progress.stopped_by) == ("interrupted", name)
    assert bench.caller.n_calls == n_calls
    assert len(rows_of(result)) == n_calls
    while result.state == "interrupted":
        result = await bench.run(config(budget=budget))
    assert set(bench.caller.calls.values()) == {1}
    assert len(rows_of(result)) == 9


async def test_wall_time_is_a_budget(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def slow(_request: CellRequest) -> str:
        bench.clock.advance(1.0)
        return "yes"

    bench.caller.behave = slow
    result = await bench.run(config(budget=Budget(max_duration=3.0), concurrency=1), items(9))
    assert result.progress.stopped_by == "max_duration"
    assert bench.caller.n_calls == 3


async def test_free_models_go_on_when_the_money_is_spent(tmp_path: Path) -> None:
    free = status("free", price={})
    bench = Bench(tmp_path, hosted=FakeHosted(free))
    result = await bench.run(config("free", budget=Budget(max_cost_usd=0.0)), items(4))
    assert result.state == "done"


async def test_budgets_buy_whole_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, hosted=FakeHosted(status("a"), status("b")))
    result = await bench.run(config("a", "b", budget=Budget(max_calls=300)), items(400))
    asked = Counter(row["variant_id"] for row in rows_of(result))
    assert asked["a"] + asked["b"] == 300
    assert abs(asked["a"] - asked["b"]) <= 2 * 8 * 2  # two batches of each under way
    assert frozenset({"a", "b"}) in bench.caller.open_together


async def test_what_may_pass_is_tried_again_after_the_time_that_was_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    refusals = iter([EngineOverloaded("full", retry_after_s=7.0), EngineUnavailable("starting")])

    def behave(_request: CellRequest) -> str:
        if error := next(refusals, None):
            raise error
        return "yes"

    bench.caller.behave = behave
    result = await bench.run(config(concurrency=1), items(1))
    assert bench.clock.sleeps_s == [7.0, 2.0]
    assert rows_of(result)[0]["score"] == 1.0
    assert result.progress.n_errors == 0


async def test_an_error_is_data_and_never_a_score(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeCaller(failing(ContextLengthExceeded("too long"))))
    result = await bench.run(config(), items(2))
    assert result.state == "done"
    assert {(row["score"], row["error_code"], row["score_reason"]) for row in rows_of(result)} == {
        (None, "context_length_exceeded", "context_length_exceeded")
    }
    assert bench.caller.n_calls == 2
    await bench.run(config())
    assert bench.caller.n_calls == 2


async def test_a_failure_that_may_pass_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeCaller(failing(EngineUnavailable("gone"))))
    first = await bench.run(config(), items(1))
    assert first.progress.n_errors == 1
    bench.caller.behave = lambda _request: "yes"
    second = await bench.run(config())
    assert second.progress.n_errors == 0
    assert [row["score"] for row in rows_of(second)] == [1.0]


async def test_a_model_that_is_down_for_good_leaves_the_others(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, FakeCaller(failing(EngineUnavailable("b: gone"), "b")), FakeHosted(status("a"), status("b"))
    )
    result = await bench.run(config("a", "b"), items(50))
    rows = rows_of(result)
    assert result.state == "done"
    assert Counter(row["model_id"] for row in rows if row["error_code"]) == {"b": 50}
    assert {row["score"] for row in rows if row["model_id"] == "a"} == {1.0}
    n_asked_of_b = sum(request.cell.model_id == "b" for request in bench.caller.asked)
    assert n_asked_of_b <= 3 * (20 + 2)  # attempts x (cells of 3 s each in 60 s + those in flight)
    assert "b: gone" in result.down["b"]


async def test_a_model_that_is_away_for_less_than_a_minute_is_not_given_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    back_at_s = bench.clock() + 45

    def behave(_request: CellRequest) -> str:
        if bench.clock() < back_at_s:
            raise EngineUnavailable("the gateway starts again")
        return "yes"

    bench.caller.behave = behave
    result = await bench.run(config(), items(50))
    failed = [row for row in rows_of(result) if row["error_code"]]
    assert result.down == {}
    assert len(failed) == 14  # two at a time: of 3 s each while it is away, and the third attempt ends it
    bench.caller.behave = lambda _request: "yes"
    assert (await bench.run(config())).progress.n_errors == 0


async def test_a_minute_counts_from_the_last_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def behave(request: CellRequest) -> str:
        if request.cell.item_id in {"q0", "q1"}:
            bench.clock.advance(100.0)
            return "yes"
        if int(request.cell.item_id[1:]) < 10:
            raise EngineUnavailable("away for a moment")
        return "yes"

    bench.caller.behave = behave
    result = await bench.run(config(concurrency=1), items(12))
    assert (result.down, result.progress.n_errors) == ({}, 8)


async def test_a_model_that_is_not_loaded_is_woken_first(tmp_path: Path) -> None:
    asleep = status(state=ModelState.UNLOADED, stats=None)
    bench = Bench(tmp_path, hosted=FakeHosted(asleep))
    result = await bench.run(config(), items(2))
    assert bench.hosted.woken == ["small"]
    assert result.progress.n_errors == 0
    assert bench.caller.most_open["small"] == 2  # its slots, known once it is loaded


async def test_a_model_that_cannot_be_woken_gets_no_call(tmp_path: Path) -> None:
    hosted = FakeHosted(status("a"), status("b", state=ModelState.FAILED), broken={"b"})
    bench = Bench(tmp_path, hosted=hosted)
    result = await bench.run(config("a", "b"), items(3))
    assert {request.cell.model_id for request in bench.caller.asked} == {"a"}
    assert result.down == {"b": "given up in this run: b: cannot be loaded"}
    assert result.progress.n_errors == 3


async def test_models_run_beside_each_other_but_in_turn_where_speed_is_measured(tmp_path: Path) -> None:
    side_by_side = Bench(tmp_path / "1", hosted=FakeHosted(status("a"), status("b")))
    await side_by_side.run(config("a", "b"), items(150))
    in_turn = Bench(tmp_path / "2", hosted=FakeHosted(status("a"), status("b")))
    await in_turn.run(config("a", "b", metrics=("speed",)), items(150))
    assert frozenset({"a", "b"}) in side_by_side.caller.open_together
    assert in_turn.caller.open_together == {frozenset({"a"}), frozenset({"b"})}
    assert side_by_side.caller.most_open == {"a": 2, "b": 2}


async def test_busy_slots_are_left_to_others(tmp_path: Path) -> None:
    busy = status(stats=EngineStats(slots_total=4, slots_busy=3, queued=0))
    bench = Bench(tmp_path, hosted=FakeHosted(busy))
    runner = bench.runner()
    await runner.setup_experiment(config(concurrency=3), items(1))
    runner.close()
    await bench.run(config(concurrency=3), items(50))
    assert bench.caller.most_open["small"] == 3


async def test_cancelled_runs_keep_what_came(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    runner = bench.runner()

    def behave(_request: CellRequest) -> str:
        runner.cancel()
        return "yes"

    bench.caller.behave = behave
    result = await runner.execute_matrix(await runner.setup_experiment(config(concurrency=1), items(9)))
    runner.close()
    assert result.state == "cancelled"
    assert len(rows_of(result)) == 1


async def test_cancelled_while_it_is_planned_asks_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    runner = bench.runner()
    plan = await runner.setup_experiment(config(), items(9))
    runner.cancel()

    result = await runner.execute_matrix(plan)

    runner.close()
    assert (result.state, bench.caller.n_calls) == ("cancelled", 0)


@pytest.mark.parametrize(
    "error", [AuthenticationError("the key was revoked"), PermissionDenied("not this key"), ModelNotFound("no such")]
)
async def test_what_an_operator_puts_right_is_asked_again(tmp_path: Path, error: NeuroForgeError) -> None:
    bench = Bench(tmp_path)

    def behave(_request: CellRequest) -> str:
        raise error

    bench.caller.behave = behave
    first = await bench.run(config(), items(20))
    bench.caller.behave = lambda _request: "yes"
    n_before = bench.caller.n_calls

    again = await bench.run(config(), items(20))

    assert first.progress.n_errors == 20
    assert (again.progress.n_errors, again.state, bench.caller.n_calls - n_before) == (0, "done", 20)


async def test_the_estimate_tells_calls_tokens_money_and_time(tmp_path: Path) -> None:
    stats = EngineStats(slots_total=2, slots_busy=0, queued=0, ttft_s=0.5, s_per_token=0.25)
    bench = Bench(tmp_path, hosted=FakeHosted(status(stats=stats)))
    runner = bench.runner()
    plan = await runner.setup_experiment(config(decodings=(Decoding(max_tokens=100),)), items(4))
    runner.close()
    assert bench.caller.n_calls == 0
    told = plan.estimate
    assert (told.n_cells, told.n_calls, told.n_cached) == (4, 4, 0)
    assert told.n_prompt_tokens == 4 * 2  # "Question 1?" has 11 characters
    assert told.n_completion_tokens_max == 400
    assert told.cost_usd_max == pytest.approx((8 * 1.0 + 400 * 2.0) / 1e6)
    assert told.duration_s == pytest.approx((4 * 0.5 + 400 * 0.25) / 2)


async def test_an_unknown_model_names_the_nearest_before_the_first_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, hosted=FakeHosted(status("smollm2-135m")))
    with pytest.raises(ModelNotFound, match="did you mean smollm2-135m"):
        await bench.run(config("smollm2-135"), items(1))


@pytest.mark.parametrize(
    ("changes", "given", "error", "words"),
    [
        ({}, [], DataError, "no items are left"),
        ({}, [item(1), item(1)], DataError, "stands twice"),
        ({}, [item(1, scorer="judge")], DataError, "has no reference"),
        ({"scorer": "choice"}, [item(1)], DataError, "cannot be scored by 'choice'"),
        ({"prompts": (PromptTemplate(template="{{ contxt }}"),)}, [item(1)], DataError, "contxt"),
        ({"gates": (Gate(better="small", reference="tiny"),)}, [item(1)], RequestError, "'tiny' is no variant"),
        ({"judge": Judge(model_id="sage")}, [item(1)], ModelNotFound, "does not host the judge 'sage'"),
    ],
)
async def test_bad_input_is_refused_before_the_first_call(
    tmp_path: Path, changes: dict[str, Any], given: list[Any], error: type[Exception], words: str
) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(error, match=words):
        await bench.run(config(**changes), given)
    assert bench.caller.n_calls == 0


async def test_a_scorer_that_cannot_be_used_is_refused_before_the_first_call(tmp_path: Path) -> None:
    def check(names: frozenset[str]) -> None:
        raise DataError(f"cannot use {sorted(names)}")

    bench = Bench(tmp_path)
    with pytest.raises(DataError, match=r"cannot use \['normalized'\]"):
        await bench.run(config(), items(1), check_scorers=check)


async def test_too_little_room_is_said_before_the_first_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(DiskFull, match="bytes are needed"):
        await bench.run(config(), items(1), free_space=lambda _path: 10)
    assert bench.caller.n_calls == 0


async def test_one_process_at_a_time_runs_an_experiment(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.runner()
    await first.setup_experiment(config(), items(1))
    with pytest.raises(ConflictError, match="another process runs this experiment"):
        await bench.run(config(), items(1))
    first.close()


async def test_what_the_scorer_raises_ends_the_run_and_loses_no_reply(tmp_path: Path) -> None:
    def broken(_item: object, _reply: object) -> None:
        raise DataError("cannot score")

    bench = Bench(tmp_path)
    with pytest.raises(DataError, match="cannot score"):
        await bench.run(config(), items(3), scorer=broken)
    result = await bench.run(config())
    assert bench.caller.n_calls == 3
    assert [row["score"] for row in rows_of(result)] == [1.0] * 3


def test_cell_ids_are_the_same_everywhere_and_follow_the_content() -> None:
    facts = Bench(Path()).hosted.statuses["small"]
    from neuroforge.experiments.facts import facts_of

    matrix = Matrix(config(), (facts_of(facts),))
    same, other = matrix.blocks([item(1), item(2)]), matrix.blocks([item(1, task="math"), item(2, query="Else?")])
    [ids], [others] = (
        ([one.request.cell.id for one in block] for block in same),
        ([one.request.cell.id for one in block] for block in other),
    )
    assert ids[0] == others[0]
    assert ids[1] != others[1]


async def test_a_full_disk_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    class FullAfterOne(LocalExecutor):
        async def execute(self, lane: Lane) -> AsyncGenerator[tuple[CellReply, ...], None]:
            async with aclosing(super().execute(lane)) as replies:
                async for one in replies:
                    yield one
                    raise DiskFull("journal: No space left on device")

    bench = Bench(tmp_path)
    with pytest.raises(DiskFull, match="No space left"):
        await bench.run(config(), items(300), executor=FullAfterOne(bench.caller))
    kept = Progress.model_validate_json((tmp_path / "experiments" / "exp-1" / "progress.json").read_bytes())
    assert 0 < kept.n_done < 300
    result = await bench.run(config())
    assert result.state == "done"
    assert len({row["cell_id"] for row in rows_of(result)}) == 300
