"""Programs as text and YAML, and what differs between two."""

import pytest

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompt_serving import content_hash_of
from neuroforge.contracts.prompts import Demonstration, PromptMessage, PromptProgram, PromptRelease, PromptStyle
from neuroforge.errors import DataError
from neuroforge.prompts.program import diff_programs, diff_texts, from_yaml, program_id, program_of_text, to_yaml
from neuroforge.prompts.render import to_text

FULL = PromptProgram(
    role="You are exact.",
    instruction="True or not?",
    constraints=("Do not guess.",),
    demonstrations=(Demonstration(question="2+2=4?", answer="yes", item_id="a"),),
    style=PromptStyle(delimiter="xml"),
    verbalizer={"yes": "true"},
)


def test_a_seed_text_is_taken_apart_at_the_question() -> None:
    found = program_of_text("Classify the text.\n\n{{ query }}\n\nLabel:")

    assert (found.instruction, found.input_template, found.answer_cue) == (
        "Classify the text.",
        "{{ query }}",
        "Label:",
    )


def test_a_question_by_another_name_keeps_it() -> None:
    assert program_of_text("Q: {{ question }}").input_template == "{{ question }}"


def test_a_text_with_further_variables_stays_one_template() -> None:
    text = "Read {{ passage }}. {{ query }}"

    assert program_of_text(text).input_template == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the prompt is empty"),
        ("Classify it.", "does not say where the question goes"),
        ("Classify {{ txt }}.", r"it names txt"),
        ("{% if query %}yes{% endif %}", "inside a statement"),
        ("{{ query", "template"),
    ],
)
def test_a_text_that_cannot_ask_is_refused(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        program_of_text(text)


def test_yaml_reads_back_equal_and_holds_only_what_is_set() -> None:
    text = to_yaml(FULL)

    assert from_yaml(text) == FULL
    assert "decoding" not in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "a program is a mapping"),
        ("instructions: a", r"instructions: .*did you mean instruction\?"),
        ("n_samples: 3", "samples at temperature 0"),
        ("a: [", "not valid YAML"),
        ("style: {delimiter: pipe}", "style.delimiter"),
    ],
)
def test_yaml_that_cannot_be_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        from_yaml(text)


def test_the_id_is_of_the_content() -> None:
    assert program_id(FULL) == program_id(from_yaml(to_yaml(FULL)))
    assert program_id(FULL) != program_id(PromptProgram(**{**dict(FULL), "role": None}))


def test_ids_and_hashes_that_were_given_before_programs_had_pools_stay() -> None:
    """Of version 0.1: states, tables and stored releases name them."""
    old = PromptProgram(role="You.", demonstrations=(Demonstration(question="q", answer="a", item_id="i"),))
    grouped = Demonstration(question="q", answer="a", item_id="i", group="g")

    assert program_id(old) == "5025fe965f2610e3"
    assert program_id(PromptProgram(**{**dict(old), "demonstrations": (grouped,)})) == "5025fe965f2610e3"
    assert program_id(PromptProgram(**{**dict(old), "n_nearest": 1})) != program_id(old)
    release = PromptRelease(
        name="a",
        messages=(PromptMessage(role="user", content="{{ query }}"),),
        variables=("query",),
        decoding=Decoding(temperature=0.5),
        reason="r",
    )
    assert content_hash_of(release) == "1fddd5ef122473cc6f23354d2c8a065e33b9507683fce138aedd4a229dce2a15"


def test_of_a_pool_the_text_shows_as_many_as_a_question_and_says_so() -> None:
    pool = tuple(Demonstration(question=f"q{k}.", answer="a") for k in range(100))
    one = PromptProgram(demonstrations=pool, n_nearest=2)

    assert "q1." in to_text(one)
    assert "q2." not in to_text(one)
    assert "the 2 of 100 nearest to the question" in to_text(one)
    assert from_yaml(to_yaml(one)) == one
    lines = diff_programs(PromptProgram(), one)
    assert lines[-1] == "n_nearest: None -> 2"
    assert lines[-2] == "demonstrations: + 36 more"


def test_differences_are_told_field_by_field() -> None:
    other = PromptProgram(
        **{**dict(FULL), "role": None, "constraints": ("Be brief.",), "style": PromptStyle(delimiter="hash")}
    )

    assert diff_programs(FULL, other) == (
        "role: 'You are exact.' -> None",
        "constraints: - Do not guess.",
        "constraints: + Be brief.",
        "style.delimiter: 'xml' -> 'hash'",
    )
    assert diff_programs(FULL, FULL) == ()


def test_another_order_of_examples_is_a_difference() -> None:
    shown = (Demonstration(question="a", answer="b"), Demonstration(question="c", answer="d"))
    one, other = PromptProgram(demonstrations=shown), PromptProgram(demonstrations=shown[::-1])

    assert diff_programs(one, other) == ("demonstrations: another order",)


def test_texts_are_compared_line_by_line() -> None:
    found = diff_texts(FULL, PromptProgram(**{**dict(FULL), "instruction": "Is it so?"}))

    assert "-True or not?" in found
    assert "+Is it so?" in found
    assert to_text(FULL).startswith("[user]")
