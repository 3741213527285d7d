from neuroforge.experiments.reporting.markdown import escape_markdown, fence


def test_nothing_in_a_text_is_markup() -> None:
    assert escape_markdown("a|b <img> [x](y)\n# *z*") == r"a\|b \<img\> \[x\](y) \# \*z\*"


def test_a_text_cannot_end_its_block() -> None:
    assert fence("x\n````\n# y") == "`````\nx\n````\n# y\n`````"


def test_a_plain_text_has_a_plain_fence() -> None:
    assert fence("a: 1\n", "yaml") == "```yaml\na: 1\n```"
