import pytest

from neuroforge.contracts.rules import Estimate
from neuroforge.experiments.analysis.words import say_amount, say_difference, say_value


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("quality", 0.615, "61.5 %"),
        ("latency_s", 0.4249, "0.425 s"),
        ("latency_s", 12.0, "12.0 s"),
        ("latency_s", 123.4, "123 s"),
        ("latency_s", 0.0, "0 s"),
        ("tokens_per_s", 1234.5, "1,234 tok/s"),
        ("cost_usd", 0.0000021, "2.10e-06 USD"),
        ("cost_usd", 0.00021, "0.000210 USD"),
    ],
)
def test_values_have_three_digits_and_a_unit(metric: str, value: float, text: str) -> None:
    assert say_value(metric, value) == text


def test_a_difference_of_shares_is_told_in_points() -> None:
    assert say_amount("quality", 0.041) == "4.1 points"
    assert say_difference("quality", Estimate(mean=0.04, low=0.012, high=0.069, n=9)) == "+1.2 to +6.9 points"


def test_no_zero_is_negative() -> None:
    assert say_difference("quality", Estimate(mean=0.0, low=-0.0001, high=0.0001, n=9)) == "0.0 to 0.0 points"
