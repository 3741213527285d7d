"""What a program looks like to the model."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram, PromptStyle
from neuroforge.datasets.template import fill_in
from neuroforge.errors import DataError
from neuroforge.prompts.render import render_program, to_text
from neuroforge.prompts.templates import template_of

SHOWN = Demonstration(question="2+2=4?", answer="yes", reasoning="2+2 is 4.")


def item(query: str = "3+3=7?", **changes: Any) -> DatasetItem:
    fields = {"id": "i", "dataset": "d", "query": query, "scorer": "exact", "references": ("no",)}
    return DatasetItem(**(fields | changes))


def program(**changes: Any) -> PromptProgram:
    fields: dict[str, Any] = {"instruction": "True or not?", "answer_cue": "Answer:", "demonstrations": (SHOWN,)}
    return PromptProgram(**(fields | changes))


def contents(one: PromptProgram, asked: DatasetItem | None = None) -> list[tuple[str, str]]:
    return [(str(message["role"]), str(message["content"])) for message in render_program(one, asked or item())]


def test_an_empty_program_is_the_question_alone() -> None:
    assert contents(PromptProgram()) == [("user", "3+3=7?")]


def test_a_demonstration_looks_exactly_like_the_question_to_come() -> None:
    assert contents(program()) == [
        (
            "user",
            "True or not?\n\nExamples:\n\nQuestion: 2+2=4?\nAnswer: yes\n\nQuestion: 3+3=7?\nAnswer:",
        )
    ]


def test_demonstrations_can_be_earlier_turns() -> None:
    style = PromptStyle(demonstrations="turns", placement="system")

    assert contents(program(style=style)) == [
        ("system", "True or not?"),
        ("user", "2+2=4?\nAnswer:"),
        ("assistant", "yes"),
        ("user", "3+3=7?\nAnswer:"),
    ]


def test_without_a_system_message_the_first_turn_opens_with_the_instruction() -> None:
    found = contents(program(style=PromptStyle(demonstrations="turns"), answer_cue=None))

    assert found[0] == ("user", "True or not?\n\n2+2=4?")


def test_steps_are_shown_only_where_the_program_asks_for_steps() -> None:
    assert "2+2 is 4." not in to_text(program())
    assert "2+2 is 4.\nAnswer: yes" in to_text(program(reasoning_cue="Think step by step."))


def test_a_verbalizer_renames_labels_in_rules_and_answers() -> None:
    text = to_text(program(verbalizer={"yes": "true", "no": "false"}))

    assert "- Say true for yes, false for no." in text
    assert "Answer: true" in text


@pytest.mark.parametrize(
    ("delimiter", "told"),
    [
        ("markdown", "## Task\nTrue or not?"),
        ("hash", "### Task\nTrue or not?"),
        ("xml", "<task>\nTrue or not?\n</task>"),
    ],
)
def test_sections_stand_under_their_titles(delimiter: Any, told: str) -> None:
    assert told in to_text(program(style=PromptStyle(delimiter=delimiter)))


def test_sections_come_in_the_programs_order() -> None:
    first = PromptStyle().section_order
    order = ("instruction", "role", *(one for one in first if one not in ("instruction", "role")))

    text = to_text(program(role="You are exact.", style=PromptStyle(section_order=order)))

    assert text.index("True or not?") < text.index("You are exact.")


def test_a_conversation_that_began_before_stands_before_the_question() -> None:
    earlier = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})

    found = contents(program(demonstrations=(), style=PromptStyle(placement="system")), item(messages=earlier))

    assert [role for role, _ in found] == ["system", "user", "assistant", "user"]


def test_a_variable_that_the_item_lacks_is_named() -> None:
    with pytest.raises(DataError, match=r"item 'i': 'passage' is undefined"):
        render_program(PromptProgram(input_template="{{ passage }}"), item())


@given(text=st.text(min_size=1), question=st.text(min_size=1).filter(str.strip))
def test_a_release_renders_to_what_was_evaluated(text: str, question: str) -> None:
    """Braces and Jinja's own words in sections are text; only the input template is a template."""
    one = program(instruction=text, demonstrations=(Demonstration(question=text, answer=text),), answer_cue=text)

    served = [fill_in(message.content, {"query": question}, "test") for message in template_of(one)]

    assert served == [content for _, content in contents(one, item(question))]


@pytest.mark.parametrize("text", ["{% endraw %}", "{{ query }}", "{# note #}", "{%- raw -%}", "{", "a\n{%\n%}\n"])
def test_signs_of_templates_in_sections_stay_text(text: str) -> None:
    one = program(instruction=text)

    served = [fill_in(message.content, {"query": "q"}, "test") for message in template_of(one)]

    assert served == [content for _, content in contents(one, item("q"))]
