"""ReportView -> Markdown, in which no text of models or datasets can pose as markup."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from neuroforge.experiments.reporting.view import ReportView

N_EXAMPLES = 5
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_FENCE = re.compile(r"`{3,}")


def render_markdown(view: ReportView) -> str:
    """Return the report with its tables; of the items only the most telling."""
    environment = Environment(
        loader=PackageLoader("neuroforge.experiments.reporting"),
        autoescape=False,  # noqa: S701 - Markdown is escaped by its own filters
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=escape_markdown, fence=fence)
    text = environment.get_template("report.md.j2").render(
        view=view, analysis=view.analysis, examples=view.items.items[:N_EXAMPLES]
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def escape_markdown(text: str) -> str:
    """Return one line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def fence(text: str, language: str = "") -> str:
    """Return a code block that the text cannot end."""
    longest = max((len(found[0]) for found in _FENCE.finditer(text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{text.rstrip()}\n{marks}"
