import pytest

from neuroforge.router.holdout import best_single, is_holdout, measure_uplift
from neuroforge.router.scored import ScoredDecision
from tests.unit.router.logged import armed, drawn, plain


def test_the_share_of_100_000_ids_is_the_one_asked_for() -> None:
    n = 100_000
    found = sum(is_holdout(0, f"req-{number}", 0.05) for number in range(n))
    assert abs(found / n - 0.05) < 4 * (0.05 * 0.95 / n) ** 0.5


def test_no_share_holds_nothing_and_the_whole_holds_everything() -> None:
    ids = [f"req-{number}" for number in range(1000)]
    assert not any(is_holdout(0, one, 0.0) for one in ids)
    assert all(is_holdout(0, one, 1.0) for one in ids)


def test_a_request_stays_where_it_is_and_another_seed_puts_others_in() -> None:
    ids = [f"req-{number}" for number in range(2000)]
    first, again, other = ([is_holdout(seed, one, 0.5) for one in ids] for seed in (1, 1, 2))
    assert first == again
    assert 900 < sum(left != right for left, right in zip(first, other, strict=True)) < 1100


def test_a_larger_share_only_adds() -> None:
    ids = [f"req-{number}" for number in range(2000)]
    assert {one for one in ids if is_holdout(0, one, 0.1)} <= {one for one in ids if is_holdout(0, one, 0.2)}


def test_a_request_id_that_is_no_unicode_is_hashed_all_the_same() -> None:
    assert is_holdout(0, "\ud800", 1.0)


def test_without_scores_there_is_no_best_model() -> None:
    assert best_single([plain("a", None)]) is None


def test_the_best_model_has_the_highest_mean_shrunk_towards_that_of_all_answers() -> None:
    # all answers: (80 * 0.9 + 120 * 0.4) / 200 = 0.6; a = (80 * 0.9 + 20 * 0.6) / 100 = 0.84
    found = best_single([plain("a", 0.9)] * 80 + [plain("b", 0.4)] * 120)
    assert found is not None
    assert (found.model_id, found.n_effective) == ("a", 80)
    assert found.quality == pytest.approx(0.84)


def test_a_lucky_answer_makes_no_best_model() -> None:
    found = best_single([plain("lucky", 1.0), *[plain("good", 0.9)] * 500])
    assert found is not None
    assert found.model_id == "good"


def test_answers_count_by_the_inverse_of_their_propensity() -> None:
    # "a" got 90 easy requests (p = 0.9, score 1) and 10 hard ones (p = 0.1, score 0): on all requests it earns 0.5
    easy = [ScoredDecision(drawn("a", {"a": 0.9, "b": 0.1}), 1.0)] * 90
    hard = [ScoredDecision(drawn("a", {"a": 0.1, "b": 0.9}), 0.0)] * 10
    found = best_single(easy + hard)
    assert found is not None
    assert found.quality == pytest.approx(0.5)
    assert found.n_effective == pytest.approx(200**2 / (90 / 0.81 + 10 / 0.01))


def test_the_uplift_is_the_difference_of_means_with_welchs_interval() -> None:
    # router: 40 answers, 30 good: mean .75, variance .75 * .25 * 40 / 39; holdout: 30 answers, 15 good: mean .5
    router = [armed("a", float(number < 30)) for number in range(40)]
    holdout = [armed("b", float(number < 15), "holdout") for number in range(30)]
    found, reason = measure_uplift(router + holdout)
    assert (found is not None, reason) == (True, None)
    assert found is not None
    error = (0.75 * 0.25 / 39 + 0.5 * 0.5 / 29) ** 0.5
    assert found.mean == pytest.approx(0.25)
    assert found.high - found.mean == pytest.approx(2.0031 * error, rel=1e-3)  # t of 58.4 degrees of freedom
    assert (found.n_router, found.n_holdout, found.holdout_model) == (40, 30, "b")


def test_below_30_scored_answers_an_arm_the_reason_tells_both_numbers() -> None:
    router, holdout = [armed("a", 1.0)] * 50, [armed("b", 1.0, "holdout")] * 29
    found, reason = measure_uplift(router + holdout)
    assert found is None
    assert reason == (
        "50 scored answers of the router and 29 of the holdout: 30 of each are needed; send feedback, or wait"
    )


@pytest.mark.parametrize("extra", [armed("a", None), plain("a", 0.0, "explicit"), plain("a", 0.0, "pinned")])
def test_unscored_answers_and_those_that_the_holdout_could_not_take_do_not_count(extra: ScoredDecision) -> None:
    both = [armed("a", 1.0)] * 30 + [armed("b", 0.5, "holdout")] * 30
    found, _ = measure_uplift([*both, *[extra] * 20])
    assert found is not None
    assert (found.mean, found.low, found.high, found.n_router) == (0.5, 0.5, 0.5, 30)


def test_the_newest_holdout_model_is_named() -> None:
    held = [armed("old", 1.0, "holdout", at_s=1.0)] * 29 + [armed("new", 1.0, "holdout", at_s=2.0)]
    found, _ = measure_uplift([armed("a", 1.0)] * 30 + held)
    assert found is not None
    assert found.holdout_model == "new"


def test_a_failure_counts_as_little_as_its_weight_says() -> None:
    # the router's 40 rated answers are all good; its 60 failures stand for 0.1 each: 40 / 46
    failures = [armed("a", 0.0)._replace(weight=0.1)] * 60
    found, _ = measure_uplift([armed("a", 1.0)] * 40 + failures + [armed("b", 0.5, "holdout")] * 30)
    assert found is not None
    assert found.mean == pytest.approx(40 / 46 - 0.5)


def test_failures_alone_are_no_evidence() -> None:
    failures = [armed("a", 0.0)._replace(weight=0.02)] * 500
    _, reason = measure_uplift(failures + [armed("b", 0.5, "holdout")] * 30)
    assert str(reason).startswith("10 scored answers of the router and 30 of the holdout")
