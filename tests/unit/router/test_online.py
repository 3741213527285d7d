"""What outcomes teach, how it is taken back, discounted and kept, and how a change is noticed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.errors import DataError
from neuroforge.router.hierarchy import COMMON_RATIO
from neuroforge.router.online import NOISE_VARIANCE, OnlinePosterior

LEVEL = np.array([1.0])
CODE, TALK = np.array([1.0, 0.5]), np.array([1.0, -0.5])


def posterior(n_basis: int = 1, half_life_s: float | None = None) -> OnlinePosterior:
    return OnlinePosterior(np.full(n_basis, 0.04), half_life_s)


def taught(made: OnlinePosterior, model_id: str, basis: np.ndarray, residual: float, n: int) -> OnlinePosterior:
    for number in range(n):
        made.update(model_id, basis, residual, at_s=float(number))
    return made


def test_before_any_outcome_the_correction_is_nought_and_as_uncertain_as_the_prior() -> None:
    mean, std = posterior(2).predict(["a", "b"], CODE)
    assert mean.tolist() == [0.0, 0.0]
    assert std == pytest.approx([np.sqrt(0.04 * 1.25)] * 2)


def test_one_outcome_moves_its_model_as_a_hierarchical_gaussian_says() -> None:
    made = taught(posterior(), "a", LEVEL, 0.5, 1)
    common, own = COMMON_RATIO * 0.04, 0.04
    total = common + own + NOISE_VARIANCE
    mean, std = made.predict(["a", "b"], LEVEL)
    assert mean == pytest.approx([0.5 * (common + own) / total, 0.5 * common / total])
    assert std == pytest.approx([np.sqrt(1 / (1 / own + 1 / NOISE_VARIANCE)), 0.2])


def test_many_outcomes_outweigh_the_prior() -> None:
    mean, std = taught(posterior(), "a", LEVEL, 0.3, 2_000).predict(["a"], LEVEL)
    assert mean[0] == pytest.approx(0.3, abs=0.005)
    assert std[0] == pytest.approx(0.0095, abs=0.0005)


def test_tasks_are_told_apart() -> None:
    made = posterior(2)
    for number in range(500):
        made.update("a", CODE, 0.3, at_s=float(number))
        made.update("a", TALK, -0.1, at_s=float(number))
    assert made.predict(["a"], CODE)[0][0] == pytest.approx(0.3, abs=0.02)
    assert made.predict(["a"], TALK)[0][0] == pytest.approx(-0.1, abs=0.02)


def test_a_model_far_from_its_base_gets_a_wider_prior() -> None:
    narrow = np.array([0.0025])
    far, _ = taught(OnlinePosterior(narrow), "new", LEVEL, 0.4, 20).predict(["new"], LEVEL)
    near, _ = taught(OnlinePosterior(narrow), "known", LEVEL, 0.1, 20).predict(["known"], LEVEL)
    assert far[0] > 0.3
    assert near[0] == pytest.approx(0.1 * 0.00625 / (0.00625 + NOISE_VARIANCE / 20))


residuals = st.lists(st.tuples(st.sampled_from("ab"), st.floats(-0.6, 0.6), st.floats(-1, 1)), min_size=1, max_size=8)


@settings(deadline=None)
@given(residuals, st.randoms())
def test_the_order_of_outcomes_does_not_matter(rows: list[tuple[str, float, float]], random: object) -> None:
    made, shuffled = posterior(2, 100.0), posterior(2, 100.0)
    timed = [(*row, float(number)) for number, row in enumerate(rows)]
    mixed = list(timed)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    for target, outcomes in ((made, timed), (shuffled, mixed)):
        for model_id, residual, mark, at_s in outcomes:
            target.update(model_id, np.array([1.0, mark]), residual, at_s=at_s)
    assert np.allclose(made.predict(["a", "b"], CODE), shuffled.predict(["a", "b"], CODE))


@settings(deadline=None)
@given(residuals)
def test_an_update_is_taken_back_by_its_negative(rows: list[tuple[str, float, float]]) -> None:
    made, untouched = posterior(2, 50.0), posterior(2, 50.0)
    for target in (made, untouched):
        target.update("a", CODE, 0.2, at_s=0.0)
        target.update("b", TALK, 0.1, at_s=90.0)
    for sign in (1.0, -1.0):
        for number, (model_id, residual, mark) in enumerate(rows):
            made.update(model_id, np.array([1.0, mark]), residual, at_s=10.0 + number, weight=sign)
    assert np.allclose(made.predict(["a", "b"], CODE), untouched.predict(["a", "b"], CODE))
    assert made.n_outcomes("a") == pytest.approx(untouched.n_outcomes("a"))


def test_an_outcome_one_half_life_old_counts_half() -> None:
    made = posterior(half_life_s=10.0)
    made.update("a", LEVEL, 0.5, at_s=0.0)
    made.update("b", LEVEL, 0.5, at_s=10.0)
    assert made.n_outcomes("a") == pytest.approx(0.5)


def test_years_of_outcomes_do_not_overflow() -> None:
    made = posterior(half_life_s=1.0)
    for number in range(300):
        made.update("a", LEVEL, 0.2, at_s=10.0 * number)
    assert made.n_outcomes("a") == pytest.approx(1.0, abs=0.002)
    assert np.isfinite(made.predict(["a"], LEVEL)[0]).all()


def test_bytes_bring_everything_back() -> None:
    made = OnlinePosterior(np.full(2, 0.04), 100.0, "fit")
    for number in range(30):
        made.update("ab"[number % 2], CODE if number % 3 else TALK, 0.4 - number / 50, at_s=float(number))
    back = OnlinePosterior.from_bytes(made.to_bytes())
    assert back.to_bytes() == made.to_bytes()
    assert np.array_equal(back.predict(["a", "b", "c"], CODE), made.predict(["a", "b", "c"], CODE))
    assert (back.basis_id, back.half_life_s, back.model_ids) == ("fit", 100.0, ("a", "b"))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x00" * 100])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="not the bytes of an online posterior"):
        OnlinePosterior.from_bytes(data)


def test_a_basis_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="this posterior's is"):
        posterior(2).update("a", LEVEL, 0.1, at_s=0.0)


def test_what_is_not_finite_is_refused_and_changes_nothing() -> None:
    made = posterior()
    with pytest.raises(DataError, match="finite"):
        made.update("a", LEVEL, float("nan"), at_s=0.0)
    assert made.model_ids == ()


def test_a_forgotten_model_is_as_new() -> None:
    made = taught(posterior(), "a", LEVEL, 0.4, 50)
    made.forget("a")
    assert made.predict(["a"], LEVEL)[0][0] == 0.0


def scored(rng: np.random.Generator, share: float, n: int) -> list[float]:
    return [float(rng.random() < share) - 0.45 for _ in range(n)]


def watched(seed: int, shares: list[float], n: int) -> OnlinePosterior:
    """`good` scores with these probabilities in turn, n outcomes each; `other` stays at a half."""
    rng, made, at_s = np.random.default_rng(seed), posterior(), 0.0
    for share in shares:
        for residual, beside in zip(scored(rng, share, n), scored(rng, 0.5, n), strict=True):
            at_s += 1.0
            made.update("good", LEVEL, residual, at_s=at_s)
            made.update("other", LEVEL, beside, at_s=at_s)
            made.predict(["good"], LEVEL)
    return made


def test_a_model_that_breaks_is_noticed_within_60_outcomes() -> None:
    assert all(watched(seed, [0.8, 0.8, 0.8, 0.15], 60).n_changes >= 1 for seed in range(5))


def test_a_steady_model_raises_no_alarm_in_2_000_outcomes() -> None:
    assert sum(watched(seed, [0.6], 2_000).n_changes for seed in range(3)) == 0


def test_after_a_change_the_old_scores_count_little_and_the_others_are_doubted() -> None:
    made = watched(0, [0.8, 0.8, 0.8], 60)
    before = made.predict(["other"], LEVEL)[1][0]
    at_s = 1_000.0
    while made.n_changes == 0:
        at_s += 1.0
        made.update("good", LEVEL, -0.45, at_s=at_s)
    assert made.n_outcomes("good") <= 3
    assert made.predict(["other"], LEVEL)[1][0] > 2 * before


def test_feedback_on_what_was_before_a_change_is_left_out() -> None:
    made = watched(0, [0.8, 0.8, 0.8], 60)
    at_s = 1_000.0
    while made.n_changes == 0:
        at_s += 1.0
        made.update("good", LEVEL, -0.45, at_s=at_s)
    left = made.n_outcomes("good")
    made.update("good", LEVEL, 0.55, at_s=at_s - 100)
    made.update("good", LEVEL, 0.55, at_s=at_s - 100, weight=-1.0)
    assert made.n_outcomes("good") == left
