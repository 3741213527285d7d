"""Which questions a new model is asked, and what its answers say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.router.place import CAUTION, MAX_POOL, Probes, Stored, choose_probes, place_model


def stored(n: int, seed: int = 0, n_others: int = 3) -> Stored:
    rng = np.random.default_rng(seed)
    return Stored(rng.uniform(0.1, 0.9, (n, n_others)), rng.normal(size=(n, 4)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 80), st.integers(0, 60), st.integers(1, 6))
def test_no_question_is_asked_twice_and_as_many_as_there_are(n: int, n_probes: int, n_others: int) -> None:
    rows = choose_probes(stored(n, n_others=n_others), n_probes)
    assert len(set(rows.tolist())) == len(rows) == min(n, n_probes)


def test_of_many_stored_questions_an_even_share_is_looked_at() -> None:
    rows = choose_probes(stored(5 * MAX_POOL), 20)
    assert len(rows) == 20
    assert rows.max() > 3 * MAX_POOL


def test_the_first_probe_is_not_one_that_tells_of_itself_only() -> None:
    others = np.full((21, 2), 0.5)
    basis = np.ones((21, 1))
    basis[20] = -0.2
    assert choose_probes(Stored(others, basis), 1)[0] != 20


def test_chosen_probes_leave_less_uncertain_than_the_first_ones() -> None:
    rows = stored(300, seed=3)

    def left(chosen: np.ndarray) -> float:
        taken = Stored(rows.others[chosen], rows.basis[chosen])
        _, std = place_model(Probes(taken, np.full(len(chosen), 0.5))).predict(rows)
        return float((std**2).mean())

    assert left(choose_probes(rows, 20)) < left(np.arange(20))


def test_without_probes_a_model_is_cautiously_the_mean_of_the_known_ones() -> None:
    rows = stored(5)
    quality, std = place_model(Probes(Stored(rows.others[:0], rows.basis[:0]), np.zeros(0))).predict(rows)
    assert quality == pytest.approx(np.clip(rows.others.mean(axis=1) - CAUTION * std, 0, 1))


def test_a_model_that_is_like_a_known_one_is_recognised() -> None:
    rows, asked = stored(400, seed=1), stored(400, seed=2)
    rng = np.random.default_rng(5)
    scores = (rng.random(400) < asked.others[:, 1]).astype(float)
    quality, _ = place_model(Probes(asked, scores)).predict(rows)
    errors = [np.abs(quality - rows.others[:, other]).mean() for other in range(3)]
    assert int(np.argmin(errors)) == 1
    assert errors[1] < 0.1


def test_questions_on_which_all_others_failed_too_count_less_against_it() -> None:
    asked = stored(30, seed=4)
    failed = np.zeros(30)
    alone = place_model(Probes(asked, failed, np.ones((30, 3)))).predict(asked)[0]
    together = place_model(Probes(asked, failed, np.zeros((30, 3)))).predict(asked)[0]
    assert together.mean() > alone.mean()


def test_a_better_score_places_a_model_higher() -> None:
    asked = stored(50, seed=6)
    low, high = (place_model(Probes(asked, np.full(50, score))).predict(asked)[0].mean() for score in (0.3, 0.7))
    assert low < 0.35 < 0.6 < high
