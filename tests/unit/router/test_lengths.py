import pytest

from neuroforge.router.lengths import PRIOR_BY_TASK, OutputLengths


def test_before_any_answer_the_prior_counts() -> None:
    lengths = OutputLengths()
    assert lengths.of_task("code") == PRIOR_BY_TASK["code"]
    assert lengths.of_model("a", "code", 100.0) == 100.0


def test_five_answers_weigh_as_much_as_the_prior() -> None:
    lengths = OutputLengths()
    for _ in range(5):
        lengths.learn("a", "classification", 30)
    assert lengths.of_task("classification") == (30 + 10) / 2


def test_a_verbose_model_is_expected_to_stay_so() -> None:
    lengths = OutputLengths()
    for _ in range(500):
        lengths.learn("short", "chat", 50)
        lengths.learn("long", "chat", 150)
    assert lengths.of_model("long", "chat", 100.0) > 1.25 * 100.0
    assert lengths.of_model("short", "chat", 100.0) < 0.75 * 100.0


def test_new_answers_replace_old_ones() -> None:
    lengths = OutputLengths()
    for n_tokens in [500] * 1000 + [10] * 300:
        lengths.learn("a", "math", n_tokens)
    assert lengths.of_task("math") == pytest.approx((50 * 10 + 5 * 200) / 55, rel=0.05)
