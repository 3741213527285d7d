import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.experiments import PromptTemplate
from neuroforge.datasets import template_language
from neuroforge.datasets.template import check_templates, fill_in, names_in, render
from neuroforge.errors import DataError
from tests.unit.datasets.fakes import item


def filled(source: str, **variables: Any) -> str:
    return fill_in(source, variables, "a test")


def test_the_plain_template_asks_the_question_as_it_stands() -> None:
    assert render(PromptTemplate(), item()) == ({"role": "user", "content": "Question 1?"},)


def test_a_template_names_the_items_fields() -> None:
    made = PromptTemplate(template="{{ topic }}: {{ query }}", system="Be {{ tone }}.")
    found = render(made, item(fields={"topic": "Birds", "tone": "brief"}))
    assert found == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Birds: Question 1?"},
    )


def test_a_conversation_goes_on_and_its_system_message_follows_the_prompts() -> None:
    begun = ({"role": "system", "content": "You are a clerk."}, {"role": "assistant", "content": "Yes?"})
    found = render(PromptTemplate(system="Be brief."), item(messages=begun))
    assert [one["role"] for one in found] == ["system", "assistant", "user"]
    assert found[0]["content"] == "Be brief.\n\nYou are a clerk."


def test_a_missing_variable_is_named_with_prompt_and_item() -> None:
    with pytest.raises(DataError, match=r"prompt 'mine', item 'q2': 'topic' is undefined; known are query, row"):
        check_templates([PromptTemplate(), PromptTemplate(name="mine", template="{{ topic }}")], [item(2)])


def test_a_variable_that_only_some_items_have_is_missing_too() -> None:
    items = [item(1, fields={"topic": "x"}), item(2)]
    with pytest.raises(DataError, match="item 'q2'"):
        check_templates([PromptTemplate(template="{{ topic }}")], items)


def test_a_syntax_error_says_where() -> None:
    with pytest.raises(DataError, match="prompt 'mine', item 'q1': line 2 of the template"):
        render(PromptTemplate(name="mine", template="x\n{{ query"), item())


def test_columns_that_are_no_words_are_reached_through_row() -> None:
    assert filled('{{ row["two words"] }}', row={"two words": 1}) == "1"


def test_a_field_may_be_called_like_a_method() -> None:
    assert filled("{{ row.items }} {{ row.keys[0] }}", row={"items": 3, "keys": [4]}) == "3 4"


def test_loops_conditions_and_filters_work() -> None:
    source = "{% for one in choices %}{{ loop.index }}. {{ one|upper }}{% if not loop.last %}; {% endif %}{% endfor %}"
    assert filled(source, choices=["a", "b"]) == "1. A; 2. B"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ x|default('none') }}", "none"),
        ("{{ choices|join(', ') }}", "b, a"),
        ("{{ choices|sort|first }}", "a"),
        ("{{ 'yes' if choices|length == 2 else 'no' }}", "yes"),
        ("{{ n + 1 - 2 }}", "4"),
        ("{{ 'a,b'|replace(',', ';') }}", "a;b"),
        ("{{ row|tojson }}", '{"k": 1}'),
        ("{% for k, v in row|items %}{{ k }}={{ v }}{% endfor %}", "k=1"),
        ("{{ choices[0:1]|join }}", "b"),
        ("two lines\n", "two lines\n"),
        ("<&>", "<&>"),
    ],
)
def test_what_templates_can_do(source: str, expected: str) -> None:
    assert filled(source, choices=["b", "a"], n=5, row={"k": 1}) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ query.upper }}",
        "{{ query|attr('upper') }}",
        "{{ 'x' * 10000000000 }}",
        "{{ 2 ** 10000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ query + query }}",
        "{{ query ~ query }}",
        "{{ [query, query] }}",
        "{{ query.format(1) }}",
        "{{ query|center(1000000000) }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{% set a %}{{ query }}{{ query }}{% endset %}{{ a }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ self }}{{ cycler }}{{ lipsum }}",
    ],
)
def test_what_templates_cannot_do(source: str) -> None:
    with pytest.raises(DataError):
        filled(source, query="text")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ _loop_steps }}", "'_loop_steps' is no variable"),
        ("{{ _loop_steps|string }}", "'_loop_steps' is no variable"),
        ("{% for _loop_steps in q %}{{ _loop_steps }}{% endfor %}", "'_loop_steps' is no variable"),
        ("{{ self }}", "'self' is no variable"),
        ("{% for a in q %}{{ loop }}{% endfor %}", "write `loop.index`"),
        ("{% for a in q %}{% if a %}{{ loop|string }}{% endif %}{% endfor %}", "write `loop.index`"),
        ("{% for a in q %}{{ loop.cycle }}{% endfor %}", "cycle"),
        ("{{ _other }}", "'_other' is undefined; known are q"),
    ],
)
def test_the_machinery_is_not_printed(source: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        filled(source, q="ab")


def test_fields_may_be_called_loop_or_begin_with_an_underscore() -> None:
    assert filled("{{ loop }}{{ _id }}{% for a in q %}{{ loop.index }}{% endfor %}", loop="x", _id=3, q="ab") == "x312"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in q %}{% for b in q %}{% if false %}x{% endif %}{% endfor %}{% endfor %}",
        "{{ q|list|join(q)|list|join(q) }}",
        "{{ q|replace('', q)|replace('', q) }}",
        "{{ '\"'" + "|tojson" * 40 + " }}",
        "{{ q }}" * 1500,
    ],
)
def test_neither_steps_nor_text_grow_without_bound(source: str) -> None:
    with pytest.raises(DataError, match=r"steps|longer"):
        filled(source, q="x" * 3000)


def test_a_very_long_or_deep_template_is_refused() -> None:
    too_long = "x" * (template_language.MAX_SOURCE_CHARS + 1)
    too_much = "{{ 1 }}" * (template_language.MAX_TEMPLATE_CHARS // 7 + 1)
    for source in (too_long, too_much, "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"):
        with pytest.raises(DataError):
            filled(source)


def test_text_around_a_template_may_be_longer_than_a_template() -> None:
    text = "{ x }" * (template_language.MAX_TEMPLATE_CHARS // 4)
    for around in (text, "{% raw %}" + text + "{{ y }}{% endraw %}"):
        assert (
            filled(around + "{{ value }}", value="!")
            == around.replace("{% raw %}", "").replace("{% endraw %}", "") + "!"
        )


def test_the_names_in_a_template_are_known_without_data() -> None:
    assert names_in("{% for one in choices %}{{ one }} {{ topic }}{% endfor %}") == {"choices", "topic"}


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_filled_in_as_it_is_and_any_source_fails_as_data(source: str, value: str) -> None:
    assert filled("{{ value }}", value=value) == value
    with contextlib.suppress(DataError):
        filled(source, value=value)
