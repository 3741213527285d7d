"""What one program gets on one item."""

import math
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompts import Demonstration, PromptProgram, PromptStyle
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.errors import EngineOverloaded, EngineUnavailable, RequestError
from neuroforge.prompts.ask import CONTENT_FREE
from neuroforge.prompts.render import prompt_of
from tests.unit.prompts.fakes import FakeModels, asker

ITEM = DatasetItem(id="i", dataset="d", query="2+2=4?", scorer="exact", references=("yes",))
CHOICE = DatasetItem(
    id="c", dataset="d", query="Which?", scorer="choice", references=("B",), labels=("A", "B"), choices=("x", "y")
)
PLAIN = PromptProgram(instruction="Answer.")


async def test_a_reply_is_scored_and_its_tokens_are_counted() -> None:
    models = FakeModels()

    result = await asker(models).ask(PLAIN, ITEM)

    assert (result.score, result.fitness, result.reply) == (1.0, 1.0, "yes")
    assert (result.n_calls, result.n_prompt_tokens, result.n_completion_tokens) == (1, 10, 2)
    assert models.asked[0]["neuroforge"] == AS_NAMED
    assert models.asked[0]["max_tokens"] == ITEM.max_tokens


async def test_a_program_that_reasons_gets_room_for_it() -> None:
    models = FakeModels()

    await asker(models).ask(PromptProgram(reasoning_cue="Think."), ITEM)

    assert models.asked[0]["max_tokens"] == 8 * ITEM.max_tokens


async def test_samples_differ_in_seed_and_vote() -> None:
    models = FakeModels(answer=iter_of("no", "yes", "yes"))
    program = PromptProgram(n_samples=3, decoding=Decoding(temperature=0.7, seed=5))

    result = await asker(models).ask(program, ITEM)

    assert [one["seed"] for one in models.asked] == [5, 6, 7]
    assert (result.score, result.reply, result.n_calls) == (1.0, "yes", 3)


async def test_a_word_of_the_verbalizer_counts_as_its_label() -> None:
    result = await asker(FakeModels(answer=lambda _p: " True ")).ask(PromptProgram(verbalizer={"yes": "true"}), ITEM)

    assert result.score == 1.0


async def test_the_fitness_of_labels_is_the_mean_of_score_and_probability_of_the_right_one() -> None:
    models = FakeModels(logprobs=lambda _prompt, label: {"A": -1.0, "B": -2.0}[label])

    result = await asker(models, labels=("A", "B")).ask(PLAIN, CHOICE)

    share = math.exp(-2) / (math.exp(-1) + math.exp(-2))
    assert (result.score, result.answer) == (0.0, "A")
    assert result.fitness == pytest.approx(share / 2)


async def test_calibration_takes_away_what_the_prompt_alone_says() -> None:
    """Without a question the model likes A by 3 nats; the question itself speaks for B."""

    def logprob(prompt: str, label: str) -> float:
        bias = -0.5 if label == "A" else -3.5
        return bias + (0.4 if CONTENT_FREE not in prompt and label == "B" else 0.0)

    models = FakeModels(logprobs=logprob)
    ask, program = asker(models, labels=("A", "B")), PromptProgram(calibrate=True)

    bare = await ask.ask_bare(program, CHOICE, "k")
    result = await ask.ask(program, CHOICE, bare)

    assert bare.logprobs == (-0.5, -3.5)
    assert result.answer == "B"
    assert result.fitness == pytest.approx((1 + 1 / (1 + math.exp(-0.4))) / 2)


async def test_an_item_whose_calibration_failed_is_no_zero() -> None:
    ask, program = (
        asker(FakeModels(errors=[RequestError("too long")]), labels=("A", "B")),
        PromptProgram(calibrate=True),
    )

    result = await ask.ask(program, CHOICE, await ask.ask_bare(program, CHOICE, "k"))

    assert (result.score, result.is_failed, result.reason) == (None, True, "call failed: invalid_request")


def test_items_of_one_task_share_a_calibration_and_others_have_none() -> None:
    ask, program = asker(FakeModels(), labels=("A", "B")), PromptProgram(calibrate=True)
    other = DatasetItem(**{**dict(CHOICE), "id": "other", "query": "?"})

    assert ask.bare_key(program, CHOICE) == ask.bare_key(program, other) is not None
    assert ask.bare_key(PLAIN, CHOICE) is None
    assert asker(FakeModels()).bare_key(program, CHOICE) is None


async def test_an_item_never_sees_its_own_answer_as_an_example() -> None:
    models = FakeModels()
    shown = (Demonstration(question="2+2=4?", answer="yes", item_id="i"), Demonstration(question="q", answer="a"))

    await asker(models).ask(PromptProgram(demonstrations=shown), ITEM)

    assert models.asked[0]["messages"][-1]["content"].count("2+2=4?") == 1


@pytest.mark.parametrize("error", [EngineOverloaded("full", retry_after_s=1.0), EngineUnavailable("gone")])
async def test_what_may_pass_is_tried_again(error: Exception) -> None:
    result = await asker(FakeModels(errors=[error, error])).ask(PLAIN, ITEM)

    assert (result.score, result.is_failed) == (1.0, False)


async def test_a_call_that_fails_for_good_is_no_zero() -> None:
    result = await asker(FakeModels(errors=[RequestError("too long")])).ask(PLAIN, ITEM)

    assert (result.score, result.fitness, result.is_failed) == (None, None, True)
    assert result.reason == "call failed: invalid_request"


class TestKeys:
    def key(self, program: PromptProgram = PLAIN, item: DatasetItem = ITEM, **target: Any) -> str:
        return asker(FakeModels(), **target).key(program, item)

    def test_the_same_call_has_the_same_key(self) -> None:
        assert self.key() == self.key(PromptProgram(instruction="Answer."))

    @pytest.mark.parametrize(
        "program",
        [
            PromptProgram(instruction="Say."),
            PromptProgram(instruction="Answer.", decoding=Decoding(seed=1)),
            PromptProgram(instruction="Answer.", decoding=Decoding(temperature=1.0), n_samples=2),
        ],
    )
    def test_another_call_has_another(self, program: PromptProgram) -> None:
        assert self.key(program) != self.key()

    def test_another_right_answer_is_another_result(self) -> None:
        assert self.key(item=DatasetItem(**{**dict(ITEM), "references": ("no",)})) != self.key()

    def test_an_example_that_is_left_out_makes_no_difference(self) -> None:
        own = (Demonstration(question="2+2=4?", answer="yes", item_id="i"),)

        assert self.key(PromptProgram(instruction="Answer.", demonstrations=own)) == self.key()


def iter_of(*answers: str) -> Any:
    left = list(answers)
    return lambda _prompt: left.pop(0)


RAW = PromptProgram(instruction="Is it so?", chat_template=False)


async def test_without_a_chat_template_the_text_is_continued_up_to_an_empty_line() -> None:
    models = FakeModels(answer=lambda _prompt: " yes\n")

    result = await asker(models).ask(RAW, ITEM)

    assert (result.score, result.n_prompt_tokens) == (1.0, 8)
    assert models.asked[0]["prompt"] == "Is it so?\n\n2+2=4?\n"
    assert models.asked[0]["stop"] == ["\n\n"]
    assert models.asked[0]["neuroforge"] == AS_NAMED


@pytest.mark.parametrize(("cue", "end", "words"), [(None, "Which?\n", ["A", "B"]), ("It is", "It is", [" A", " B"])])
async def test_labels_go_on_where_the_text_ends(cue: str | None, end: str, words: list[str]) -> None:
    models = FakeModels(logprobs=lambda _prompt, label: -1.0 if "B" in label else -2.0)
    program = PromptProgram(**{**dict(RAW), "answer_cue": cue})

    result = await asker(models, labels=("A", "B")).ask(program, CHOICE)

    assert (result.answer, result.score) == ("B", 1.0)
    assert models.asked[0]["messages"].endswith(end)
    assert models.asked[0]["labels"] == words


def test_turns_without_a_chat_template_follow_each_other() -> None:
    style = PromptStyle(demonstrations="turns", placement="system")
    shown = (Demonstration(question="1+1=3?", answer="no"),)
    program = PromptProgram(**{**dict(RAW), "style": style, "demonstrations": shown, "answer_cue": "So:"})

    assert prompt_of(program, ITEM) == "Is it so?\n\n1+1=3?\nSo: no\n\n2+2=4?\nSo:"
