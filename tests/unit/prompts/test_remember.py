"""Calls beside the measured ones."""

from pathlib import Path

import pytest

from neuroforge.contracts.models import Price
from neuroforge.errors import DataError, EngineUnavailable
from neuroforge.prompts.remember import RememberingModels
from neuroforge.prompts.spend import Spent
from neuroforge.prompts.stopwatch import Stopwatch
from tests.fakes import FakeClock
from tests.unit.prompts.fakes import FakeModels

ASKED = [{"role": "user", "content": "Better?"}]
PRICE = {"m": Price(input_usd_per_million=1e6, output_usd_per_million=2e6)}


def remembering(models: FakeModels, path: Path) -> RememberingModels:
    return RememberingModels(models, PRICE, path / "beside.jsonl", lambda: 0.0)


async def test_the_same_is_asked_once_over_all_starts_and_paid_once(tmp_path: Path) -> None:
    models = FakeModels()
    for _ in range(2):
        one = remembering(models, tmp_path)
        answer = await one.chat(ASKED, model="m", seed=1)
        labels = await one.label_logprobs(ASKED, ["Yes", "No"], "m")
        spent = one.spent
        one.close()

    assert len(models.asked) == 2
    assert answer["choices"][0]["message"]["content"] == "yes"
    assert [score.label for score in labels.scores] == ["Yes", "No"]
    assert spent == Spent(2, 20, 2, 24.0)


def test_who_wrote_what_is_counted_once_over_all_starts_and_costs_nothing(tmp_path: Path) -> None:
    for places in ((0, 1), (1, 2)):
        one = remembering(FakeModels(), tmp_path)
        for place in places:
            one.note_written("m", "Rewrite this.", place)
        one.close()

    assert (one.written_by_model, one.spent) == ({"m": 3}, Spent())


async def test_another_seed_is_another_call(tmp_path: Path) -> None:
    models = FakeModels()
    one = remembering(models, tmp_path)

    await one.chat(ASKED, model="m", seed=1)
    await one.chat(ASKED, model="m", seed=2)
    one.close()

    assert len(models.asked) == 2


async def test_a_call_that_failed_is_asked_again(tmp_path: Path) -> None:
    models = FakeModels(errors=[EngineUnavailable("m: down")])
    one = remembering(models, tmp_path)

    with pytest.raises(EngineUnavailable):
        await one.chat(ASKED, model="m")
    await one.chat(ASKED, model="m")
    one.close()

    assert one.spent.n_calls == 1


def test_a_line_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "beside.jsonl").write_text("{}\n")

    with pytest.raises(DataError, match="line 1 is no call"):
        remembering(FakeModels(), tmp_path)


def test_time_goes_on_where_the_last_process_left_it(tmp_path: Path) -> None:
    clock = FakeClock()
    watch = Stopwatch(tmp_path / "elapsed", clock)
    clock.advance(5.0)
    watch.tick()
    clock.advance(0.4)
    watch.tick()

    after = Stopwatch(tmp_path / "elapsed", clock)
    clock.advance(1.0)

    assert after.elapsed_s == 6.0
