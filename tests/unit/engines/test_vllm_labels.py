import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.engines.vllm_labels import (
    MAX_PROMPT_TOKENS_AT_ONCE,
    MAX_TOKEN_IDS,
    StepBatch,
    plan_steps,
    read_steps,
    read_whole,
    split_labels,
    step_body,
    sum_steps,
    whole_body,
)

LABELS = st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=5).map(tuple), min_size=1, max_size=80)


def test_labels_of_one_token_are_one_sequence() -> None:
    assert plan_steps([(5,), (3,), (5,)]) == [StepBatch(prefixes=((),), token_ids=(3, 5))]


def test_labels_that_begin_alike_share_their_beginning() -> None:
    batch = plan_steps([(1, 2), (1, 3)])[0]
    assert batch.prefixes == ((), (1,))
    assert set(batch.token_ids) == {1, 2, 3}


@given(labels=LABELS)
def test_every_token_of_every_label_is_asked_within_the_limit(labels: list[tuple[int, ...]]) -> None:
    batches = plan_steps(labels)
    asked = {(prefix, token) for batch in batches for prefix in batch.prefixes for token in batch.token_ids}
    assert all((label[:index], token) in asked for label in labels for index, token in enumerate(label))
    assert max(len(batch.token_ids) for batch in batches) <= MAX_TOKEN_IDS


def test_more_first_tokens_than_the_limit_are_two_requests() -> None:
    batches = plan_steps([(token,) for token in range(MAX_TOKEN_IDS + 1)])
    assert [len(batch.token_ids) for batch in batches] == [MAX_TOKEN_IDS, 1]


def test_no_label_is_no_request() -> None:
    assert plan_steps([]) == []


def test_a_step_asks_one_token_after_prompt_and_prefix() -> None:
    body = step_body(StepBatch(((), (7,)), (7, 8)), (1, 2), "m")
    assert body == {
        "model": "m",
        "prompt": [[1, 2], [1, 2, 7]],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 0,
        "logprob_token_ids": [7, 8],
        "return_tokens_as_token_ids": True,
    }


def test_steps_are_read_by_the_choices_index_and_summed() -> None:
    batch = StepBatch(((), (7,)), (7, 8))
    second = {"index": 1, "logprobs": {"top_logprobs": [{"token_id:7": -9.0, "token_id:8": -0.5}]}}
    first = {"index": 0, "logprobs": {"top_logprobs": [{"token_id:7": -1.0, "token_id:8": -2.0, "token_id:9": -0.1}]}}
    logprobs = read_steps(batch, {"choices": [second, first]})
    assert sum_steps((7, 8), logprobs) == -1.5
    assert sum_steps((8,), logprobs) == -2.0


def test_a_missing_token_is_an_unknown_form() -> None:
    with pytest.raises(KeyError):
        read_steps(StepBatch(((),), (7,)), {"choices": [{"index": 0, "logprobs": {"top_logprobs": [{}]}}]})


def test_short_prompts_score_labels_of_several_tokens_at_once() -> None:
    assert split_labels([(1,), (1, 2)], MAX_PROMPT_TOKENS_AT_ONCE) == ([(1,)], [(1, 2)])


def test_long_prompts_go_step_by_step() -> None:
    assert split_labels([(1,), (1, 2)], MAX_PROMPT_TOKENS_AT_ONCE + 1) == ([(1,), (1, 2)], [])


def test_a_whole_label_is_read_after_the_prompt() -> None:
    labels, prompt = [(7, 8), (7, 9)], (1, 2)
    assert whole_body(labels, prompt, "m")["prompt"] == [[1, 2, 7, 8], [1, 2, 7, 9]]
    told = [None, {"2": {"logprob": -50.0}}, {"7": {"logprob": -1.0}, "5": {"logprob": -0.2}}, {"8": {"logprob": -2.5}}]
    other = [None, {"2": {"logprob": -50.0}}, {"7": {"logprob": -1.0}}, {"9": {"logprob": -0.25}}]
    answer = {"choices": [{"index": 0, "prompt_logprobs": told}, {"index": 1, "prompt_logprobs": other}]}
    assert read_whole(labels, len(prompt), answer) == {(7, 8): -3.5, (7, 9): -1.25}


def test_rounding_above_zero_is_certainty() -> None:
    answer = {"choices": [{"index": 0, "prompt_logprobs": [None, {"7": {"logprob": 1e-7}}]}]}
    assert read_whole([(7,)], 1, answer) == {(7,): 0.0}
    assert math.copysign(1, sum_steps((7,), {((), 7): 1e-7})) == 1
