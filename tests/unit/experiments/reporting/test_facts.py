import pytest

from neuroforge.experiments.reporting.facts import say_duration, say_time


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (321.0, "5 min 21 s"), (7500.0, "2 h 5 min")]
)
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    assert say_duration(seconds) == text


def test_times_are_told_in_utc() -> None:
    assert say_time(0.0) == "01 Jan 1970, 00:00 UTC"
