"""Blocks of items, the log of results, and whole searches on a fake model."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.errors import DataError, DiskFull, EngineError, NotFound
from neuroforge.prompts.evaluate import Evaluator, all_of
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState, Trial
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.program import program_id
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.search import search
from tests.unit.prompts.fakes import FakeModels, asker
from tests.unit.prompts.searching import SEED, pool, space

ITEMS = {
    f"i{k:02d}": DatasetItem(id=f"i{k:02d}", dataset="d", query=f"q{k}", scorer="exact", references=("yes",))
    for k in range(40)
}


Make = Callable[..., Evaluator]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Evaluators in a directory; a log that a test leaves open is closed after it."""
    logs: list[ResultLog] = []

    def build(models: FakeModels, concurrency: int = 4, name: str = "", labels: tuple[str, ...] = ()) -> Evaluator:
        logs.append(ResultLog(tmp_path / name / RESULTS, lambda: 0.0))
        return Evaluator(asker(models, labels), ITEMS, logs[-1], concurrency)

    yield build
    for log in logs:
        log.close()


def trial(program: PromptProgram = SEED, n: int = 10) -> Trial:
    candidate = PromptCandidate(id=program_id(program), program=program, operator="seed")
    return Trial(candidate, 0, tuple(ITEMS)[:n])


async def test_a_block_is_told_in_the_items_order(make: Make) -> None:
    found = await make(FakeModels(answer=lambda p: "yes" if "q3" in p else "no")).evaluate(trial())

    assert found.item_ids == tuple(ITEMS)[:10]
    assert found.scores == (0.0, 0.0, 0.0, 1.0, *(0.0,) * 6)
    assert (found.n_calls, found.n_prompt_tokens) == (10, 100)


async def test_no_more_calls_at_once_than_allowed(make: Make) -> None:
    models = FakeModels()

    await make(models, concurrency=3).evaluate(trial())

    assert models.n_peak == 3


async def test_what_is_in_the_log_is_not_asked_again(make: Make) -> None:
    first = make(FakeModels())
    told = await first.evaluate(trial())
    first.log.close()
    models = FakeModels()

    again = await make(models).evaluate(trial(n=12))

    assert len(models.asked) == 2
    assert again.scores[:10] == told.scores
    assert again.n_calls == 12, "a budget means the same in every run"


async def test_a_failed_call_is_a_reason_and_is_asked_again(make: Make) -> None:
    first = make(FakeModels(errors=[EngineError("broken")]))
    told = await first.evaluate(trial())
    first.log.close()

    again = await make(FakeModels()).evaluate(trial())

    assert told.scores.count(None) == 1
    assert told.errors == {"call failed: engine_error": 1}
    assert None not in again.scores


async def test_the_same_call_is_made_once_for_two_trials(make: Make) -> None:
    models = FakeModels()
    one = make(models)
    item_ids = (*tuple(ITEMS)[:5], *tuple(ITEMS)[:5])

    await one.results_of(SEED, item_ids)

    assert len(models.asked) == 5


async def test_calibration_is_asked_once_and_counts_once_in_each_block_whoever_comes_first(make: Make) -> None:
    models = FakeModels()
    one = make(models, labels=("yes", "no"))
    program = PromptProgram(calibrate=True)

    first = await one.evaluate(trial(program, n=10))
    again = await one.evaluate(trial(program, n=12))

    assert len(models.asked) == 13
    assert (first.n_calls, again.n_calls) == (11, 13)
    assert first.n_prompt_tokens == 110


THINKING = PromptProgram(reasoning_cue="Think.")


async def test_right_answers_with_steps_become_examples(make: Make) -> None:
    one = make(FakeModels())
    plain, thinking = trial(n=2), trial(THINKING, n=2)
    for asked in (plain, thinking):
        await one.evaluate(asked)

    assert one.bootstrapped([plain]) == (), "no steps were asked for"
    assert [(shown.item_id, shown.reasoning, shown.is_bootstrapped) for shown in one.bootstrapped([thinking])] == [
        ("i00", "yes", True),
        ("i01", "yes", True),
    ]


async def test_wrong_answers_become_no_examples(make: Make) -> None:
    one = make(FakeModels(answer=lambda _prompt: "no"))
    await one.evaluate(trial(THINKING))

    assert one.bootstrapped([trial(THINKING)]) == ()


async def test_a_trial_is_recalled_as_it_was_told_failed_calls_included(make: Make) -> None:
    one = make(FakeModels(errors=[EngineError("broken")]))

    told = await one.evaluate(trial())

    assert one.recall(trial()) == told
    assert told.scores.count(None) == 1


async def test_a_trial_that_nobody_evaluated_cannot_be_recalled(make: Make) -> None:
    with pytest.raises(NotFound, match="no log holds a result"):
        make(FakeModels()).recall(trial())


async def test_of_many_at_once_the_first_error_is_raised_itself_and_ends_the_others() -> None:
    ended = []

    async def fail() -> None:
        raise DiskFull("no room")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("other")

    with pytest.raises(DiskFull, match="no room"):
        await all_of([wait(), fail()])
    assert ended == ["other"]


def test_a_log_of_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text('{"key": "k", "item_id": "i"}\n{"other": 1}\n')

    with pytest.raises(DataError, match="line 2 is no result"):
        ResultLog(tmp_path / RESULTS, lambda: 0.0)


class TestSearch:
    def model(self) -> FakeModels:
        """Right on every other item, and on all when it is told to think."""
        return FakeModels(answer=lambda p: "yes" if "step by step" in p or hash_of(p) % 2 else "no")

    def engine(self, state: EvolutionState | None = None) -> PromptEvolutionEngine:
        ids = tuple(ITEMS)
        blocks = [ids[start : start + 10] for start in range(0, 40, 10)]
        settings = EvolutionSettings(max_calls=600, seed=1)
        if state is not None:
            return PromptEvolutionEngine(settings, space(), blocks, state)
        return PromptEvolutionEngine.begin(settings, space(), blocks, SEED, pool())

    async def test_it_finds_what_helps(self, make: Make) -> None:
        found = await search(self.engine(), make(self.model()), None, lambda _state: None)

        assert "step by step" in (found.ranking()[0].program.reasoning_cue or "")

    async def test_cut_off_anywhere_it_ends_as_if_it_had_not_been(self, make: Make) -> None:
        whole = await search(self.engine(), make(self.model(), name="whole"), None, lambda _state: None)
        saved: list[str] = []

        class StopError(Exception):
            pass

        def save_until(state: EvolutionState) -> None:
            saved.append(state.model_dump_json())
            if len(saved) % 2 == 0:
                raise StopError

        engine, n_calls = self.engine(), 0
        while not engine.is_over:
            models = self.model()
            one = make(models, name="cut")
            try:
                await search(engine, one, None, save_until)
            except StopError:
                engine = self.engine(EvolutionState.model_validate_json(saved[-1]))
            finally:
                one.log.close()
                n_calls += len(models.asked)

        assert engine.state.candidates == whole.state.candidates
        assert engine.state.elite == whole.state.elite
        assert n_calls <= whole.state.n_calls, "no call was made twice"


def hash_of(text: str) -> int:
    return sum(text.encode())
