from neuroforge.contracts.chat import Usage
from neuroforge.engines.llamacpp_chunks import StreamTotals
from neuroforge.engines.llamacpp_meter import EngineMeter, MovingAverage


def test_the_first_value_is_the_average_and_the_next_moves_it_a_fifth() -> None:
    average = MovingAverage()
    assert average.value is None
    average.add(1.0)
    average.add(2.0)
    assert average.value == 1.2


def test_a_finished_generation_counts_its_usage() -> None:
    meter = EngineMeter()
    usage = Usage(n_prompt_tokens=7, n_completion_tokens=3)
    meter.note(StreamTotals(n_texts=9, usage=usage, s_per_token=0.5), duration_s=2.0)
    stats = meter.stats(slots_total=4, slots_busy=1, queued=2, resident_bytes=lambda: 5)
    assert (stats.n_requests, stats.n_prompt_tokens, stats.n_completion_tokens) == (1, 7, 3)
    assert (stats.s_per_token, stats.ttft_s, stats.resident_bytes) == (0.5, None, 5)
    assert (stats.slots_total, stats.slots_busy, stats.queued) == (4, 1, 2)


def test_a_generation_that_was_cut_counts_what_was_seen() -> None:
    meter = EngineMeter()
    meter.note(StreamTotals(n_texts=9), duration_s=2.0)
    assert meter.n_completion_tokens == 9


def test_retry_is_an_average_request_away_within_bounds() -> None:
    meter = EngineMeter()
    assert meter.retry_after_s() == 1.0
    meter.note_prompt(4, duration_s=30.0)
    assert meter.retry_after_s() == 30.0
    for _ in range(30):
        meter.note_prompt(4, duration_s=900.0)
    assert meter.retry_after_s() == 60.0
