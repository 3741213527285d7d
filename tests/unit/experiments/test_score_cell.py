from typing import Any

import pytest

from neuroforge.contracts.chat import LabelScore
from neuroforge.contracts.experiments import CellReply
from neuroforge.errors import DataError
from neuroforge.experiments.score_cell import score_cell
from neuroforge.scoring.sandbox import Sandbox
from tests.unit.datasets.fakes import item


def reply(**changes: Any) -> CellReply:
    values: dict[str, Any] = {"cell_id": "c", "cache_key": "k", "reply": "A", "at_s": 1.0}
    return CellReply(**{**values, **changes})


CHOICE = item(scorer="choice", labels=("A", "B"), choices=("x", "y"), references=("B",))


def labels(**logprobs: float) -> tuple[LabelScore, ...]:
    return tuple(LabelScore(label=name, logprob=value, n_tokens=1) for name, value in logprobs.items())


def test_the_most_probable_label_is_the_answer_whatever_stands_in_the_reply() -> None:
    found = score_cell(CHOICE, reply(label_scores=labels(A=-2.0, B=-1.0)), Sandbox())
    assert (found.value, found.answer) == (1.0, "B")


def test_labels_that_tie_prefer_nothing() -> None:
    found = score_cell(CHOICE, reply(reply="B", label_scores=labels(A=-1.0, B=-1.0)), Sandbox())
    assert (found.value, found.reason) == (0.0, "the two most probable labels tie")


def test_without_labels_the_text_counts() -> None:
    assert score_cell(CHOICE, reply(reply="B"), Sandbox()).value == 1.0


def test_calls_are_scored_as_calls() -> None:
    asked = item(scorer="function_call", references=('[{"name": "f"}]',))
    call = {"function": {"name": "f", "arguments": "{}"}}
    assert score_cell(asked, reply(reply="", tool_calls=(call,)), Sandbox()).value == 1.0


def test_a_failed_call_is_no_score_of_0() -> None:
    failed = reply(reply=None, error_code="engine_error", error="down")
    with pytest.raises(DataError, match=r"no reply to score \(engine_error\)"):
        score_cell(item(), failed, Sandbox())
