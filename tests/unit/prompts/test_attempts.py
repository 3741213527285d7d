"""Whoever tries often must show more."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.errors import ConflictError, DataError
from neuroforge.prompts import attempts as module
from neuroforge.prompts.attempts import ATTEMPTS, Attempts, Question, question_of
from neuroforge.prompts.promote import judge_winner
from neuroforge.prompts.provenance import fingerprint
from neuroforge.storage.append_log import lock_of

SEED = PromptProgram(instruction="Do it.")


def item(number: int, **changes: Any) -> DatasetItem:
    fields = {"id": f"i{number}", "dataset": "d", "query": f"Question {number}?", "scorer": "exact"}
    return DatasetItem(**{**fields, "references": ("a",), **changes})


def asked(
    *numbers: int, name: str = "sense", model: str = "m", seed: PromptProgram = SEED, promote: bool = True
) -> Question:
    config = OptimizeConfig(name=name, prompt="{{ query }}", promote=promote)
    return question_of(config, model, seed, [item(one) for one in numbers])


def attempts(home: Path, run: str) -> Attempts:
    (home / run).mkdir(exist_ok=True)
    return Attempts(home / ATTEMPTS, home / run)


def test_the_nth_test_on_the_same_items_gets_its_share_of_alpha(tmp_path: Path) -> None:
    levels = [attempts(tmp_path, f"{run}").take(asked(1, 2), "w", 0.06) for run in range(3)]

    assert [(one.number, one.alpha) for one in levels] == [
        (1, pytest.approx(0.03)), (2, pytest.approx(0.01)), (3, pytest.approx(0.005)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "number"),
    [
        (asked(2, 3), 2),
        (asked(2, 3, name="other"), 2),
        (asked(2, 3, model="other"), 2),
        (asked(2, 3, seed=PromptProgram(instruction="x")), 2),
        (asked(3, 4), 1),
        (asked(2, 3, model="other", promote=False), 1),
        (asked(2, 3, promote=False), 2),
        (asked(2, 3, name="other", model="other"), 1),
        (asked(2, 3, name="other", seed=PromptProgram(instruction="x")), 1),
    ],
)
def test_it_is_of_one_family_by_a_common_item_and_the_same_name_or_text_and_model(
    tmp_path: Path, other: Question, number: int
) -> None:
    attempts(tmp_path, "first").take(asked(1, 2), "w", 0.05)

    assert attempts(tmp_path, "second").foresee(other, 0.05).number == number
    assert attempts(tmp_path, "second").take(other, "w", 0.05).number == number


def test_items_are_known_by_what_they_ask() -> None:
    one = item(1)
    renamed = DatasetItem(**{**dict(one), "id": "x", "query": " question  1?", "references": ("b",)})

    talk = DatasetItem(**{**dict(one), "messages": ({"role": "user", "content": "before"},)})
    assert fingerprint(one) == fingerprint(renamed)
    assert fingerprint(one) != fingerprint(talk)


def test_a_run_that_was_killed_makes_the_same_test_and_another_winner_another(tmp_path: Path) -> None:
    one = attempts(tmp_path, "run")
    first = one.take(asked(1), "w", 0.05)

    assert attempts(tmp_path, "run").take(asked(1), "w", 0.05) == first
    assert one.foresee(asked(1), 0.05) == first
    assert one.take(asked(1), "another", 0.05).number == 2


def test_a_directory_that_was_emptied_is_another_run(tmp_path: Path) -> None:
    attempts(tmp_path, "run").take(asked(1), "w", 0.05)
    (tmp_path / "run" / module.ATTEMPT).unlink()

    assert attempts(tmp_path, "run").take(asked(1), "w", 0.05).number == 2


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / ATTEMPTS).write_text("{}\n")

    with pytest.raises(DataError, match="line 1 is no test of a prompt"):
        attempts(tmp_path, "run").foresee(asked(1), 0.05)


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 0.0)

    with lock_of(tmp_path / ATTEMPTS), pytest.raises(ConflictError, match="another process holds it"):
        attempts(tmp_path, "run").take(asked(1), "w", 0.05)


def test_prompts_that_are_no_better_are_seldom_promoted_however_often_one_tries(tmp_path: Path) -> None:
    """Five runs, each with a winner of the seed's quality on 30 of the same 120 items, 150 times."""
    rng = np.random.default_rng(2)
    draws = [sorted(rng.choice(120, 30, replace=False).tolist()) for _ in range(5)]
    levels = [attempts(tmp_path, f"{run}").take(asked(*test), "w", 0.05) for run, test in enumerate(draws)]
    n_shared = n_each = 0
    for _ in range(150):
        easy = rng.random(120) < 0.5
        seed = _scores(easy, rng)
        p_values = [_p_value(_scores(easy, rng), seed, test, rng) for test in draws]
        n_shared += any(p <= level.alpha for p, level in zip(p_values, levels, strict=True))
        n_each += min(p_values) <= 0.05

    assert n_shared / 150 <= 0.05
    assert n_each / 150 > 0.08, "what sharing mends"


def _scores(easy: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    n = len(easy)
    return np.where(rng.random(n) < 0.4, rng.random(n) < 0.5, easy).astype(float)


def _p_value(
    winner: NDArray[np.float64], seed: NDArray[np.float64], test: list[int], rng: np.random.Generator
) -> float:
    mine, theirs = ({f"i{one}": float(scores[one]) for one in test} for scores in (winner, seed))
    return judge_winner(mine, theirs, {}, 0.05, rng).p_value or 0.0
