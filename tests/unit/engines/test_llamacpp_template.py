import pytest

from neuroforge.engines.llamacpp_template import teach_tools

CHATML = "{% for message in messages %}<|im_start|>{{ message.role }}{% endfor %}"


def test_the_original_stays_as_the_branch_without_tools() -> None:
    taught = teach_tools(CHATML)
    assert taught is not None
    assert taught.endswith("{%- else -%}" + CHATML + "{%- endif -%}")


@pytest.mark.parametrize("template", ["", "[INST] {{ x }}", CHATML + "{% if tools %}", CHATML + "{{ m.tool_calls }}"])
def test_other_families_and_templates_with_tools_are_left_alone(template: str) -> None:
    assert teach_tools(template) is None
