import random

from neuroforge.engines.retries import Backoff


def test_pauses_grow_to_a_ceiling_and_are_spread() -> None:
    rngs = [random.Random(seed) for seed in range(200)]
    runs = [list(Backoff(base_s=0.1, max_s=0.5, rng=rng).pauses_s(4)) for rng in rngs]
    for attempt, ceiling_s in enumerate([0.1, 0.2, 0.4, 0.5]):
        pauses_s = [run[attempt] for run in runs]
        assert 0.0 <= min(pauses_s) < 0.1 * ceiling_s
        assert 0.9 * ceiling_s < max(pauses_s) <= ceiling_s


def test_no_retries_no_pauses() -> None:
    assert list(Backoff().pauses_s(0)) == []
