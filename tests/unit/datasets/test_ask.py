from typing import Any

import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.scores import Score
from neuroforge.datasets.ask import Asker, AskSettings, Contestant
from neuroforge.errors import ContextLengthExceeded, EngineOverloaded, EngineUnavailable, NeuroForgeError
from neuroforge.scoring.normalized import score_normalized
from tests.fakes import FakeClock
from tests.unit.datasets.fakes import FakeFleet, item

SMALL = Contestant("small")


def asker(fleet: FakeFleet, settings: AskSettings | None = None, sleeps_s: list[float] | None = None) -> Asker:
    sleep = (sleeps_s if sleeps_s is not None else []).append
    clock = FakeClock()
    return Asker(fleet, _score, settings or AskSettings(), clock, clock, sleep)


def _score(question: Any, reply: str) -> Score:
    return score_normalized(reply, question.references)


def failing(*errors: NeuroForgeError) -> FakeFleet:
    """Raises these in turn, then says yes."""
    left = list(errors)

    def reply(_model: str, _query: str) -> str:
        if left:
            raise left.pop(0)
        return "Yes."

    return FakeFleet(reply)


def test_a_reply_is_scored_and_counted() -> None:
    found = asker(failing()).ask(item(), SMALL)
    assert (found.reply, found.n_prompt_tokens, found.n_completion_tokens) == ("Yes.", 10, 2)
    assert found.score == Score(value=1.0, answer="yes")


def test_the_question_is_sent_with_its_own_length_and_the_settings() -> None:
    fleet = failing()
    asker(fleet, AskSettings(temperature=0.5, seed=7)).ask(item(), SMALL)
    assert fleet.options == [
        {"temperature": 0.5, "seed": 7, "max_tokens": 8, "neuroforge": {"route": {"explore": False}}}
    ]


def test_a_length_for_all_goes_before_the_questions_own() -> None:
    fleet = failing()
    asker(fleet, AskSettings(max_tokens=3)).ask(item(), SMALL)
    assert fleet.options[0]["max_tokens"] == 3


def test_a_passing_failure_is_tried_again_after_a_while() -> None:
    sleeps_s: list[float] = []
    found = asker(failing(EngineUnavailable("x"), EngineUnavailable("x")), sleeps_s=sleeps_s).ask(item(), SMALL)
    assert found.score is not None
    assert sleeps_s == [1.0, 2.0]


def test_the_servers_wish_for_waiting_is_honoured() -> None:
    sleeps_s: list[float] = []
    asker(failing(EngineOverloaded("x", retry_after_s=7.0)), sleeps_s=sleeps_s).ask(item(), SMALL)
    assert sleeps_s == [7.0]


def test_a_failure_for_good_is_kept_without_a_score() -> None:
    found = asker(failing(*[EngineUnavailable("gone")] * 3)).ask(item(), SMALL)
    assert (found.error_code, found.error, found.is_retryable) == ("model_unavailable", "gone", True)
    assert (found.reply, found.score, found.latency_s) == (None, None, None)


def test_what_the_question_is_to_blame_for_is_not_tried_again() -> None:
    fleet = failing(ContextLengthExceeded("too long"))
    found = asker(fleet).ask(item(), SMALL)
    assert (len(fleet.calls), found.is_retryable) == (1, False)


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"message": None}]}])
def test_a_malformed_answer_is_a_failure(body: JsonObject) -> None:
    fleet = failing()
    fleet.chat = lambda *_a, **_k: body  # type: ignore[method-assign]
    assert asker(fleet).ask(item(), SMALL).error_code == "engine_error"


def test_an_answer_of_tool_calls_only_is_an_empty_reply() -> None:
    fleet = failing()
    fleet.chat = lambda *_a, **_k: {"choices": [{"message": {"content": None}}]}  # type: ignore[method-assign]
    assert asker(fleet).ask(item(), SMALL).reply == ""


def test_choices_by_logprob_take_the_most_probable_label() -> None:
    question = item(scorer="choice", labels=("A", "B"), choices=("x", "y"), references=("A",))
    found = asker(failing(), AskSettings(is_choice_by_logprob=True)).ask(question, SMALL)
    assert (found.reply, found.score) == ("A", Score(value=1.0, answer="A"))


def test_a_cell_keeps_its_id() -> None:
    assert asker(failing()).cell_id(item(), SMALL) == asker(failing()).cell_id(item(task="other"), SMALL)


@pytest.mark.parametrize(
    ("question", "contestant", "settings"),
    [
        (item(2), SMALL, AskSettings()),
        (item(references=("no",)), SMALL, AskSettings()),
        (item(), Contestant("large"), AskSettings()),
        (item(), Contestant("small", digest="other weights"), AskSettings()),
        (item(), SMALL, AskSettings(seed=1)),
        (item(), SMALL, AskSettings(temperature=0.1)),
    ],
)
def test_another_question_model_or_setting_is_another_cell(
    question: Any, contestant: Contestant, settings: AskSettings
) -> None:
    assert asker(failing(), settings).cell_id(question, contestant) != asker(failing()).cell_id(item(), SMALL)


def test_cells_of_items_without_the_newer_fields_keep_their_ids() -> None:
    """The id is that of the first release: kept answers must be found again."""
    old = "f4ebc2a2e7cd09bb6c027adb"
    assert asker(failing()).cell_id(item(), SMALL) == old
    unsent = item(fields={"a": 1}, split="test", paraphrase_of="p")
    assert asker(failing()).cell_id(unsent, SMALL) == old
    assert asker(failing()).cell_id(item(tools=({"type": "function"},)), SMALL) != old


def test_a_conversation_is_sent_with_its_tools_and_a_call_is_kept_as_its_json() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    class Calling(FakeFleet):
        def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
            super().chat(messages, model, **options)
            return {"choices": [{"message": {"content": None, "tool_calls": [call]}}]}

    fleet = Calling(lambda _model, _query: "")
    begun = {"role": "assistant", "content": "Well?"}
    found = asker(fleet).ask(item(messages=(begun,), tools=({"type": "function"},)), SMALL)
    assert fleet.calls == [("small", [begun, {"role": "user", "content": "Question 1?"}])]  # type: ignore[comparison-overlap]
    assert fleet.options[0]["tools"] == [{"type": "function"}]
    assert found.reply == '[{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]'
