"""A finished run -> report.html: what was found, how, and what it takes to run it again."""

from neuroforge.pages.page import render_page
from neuroforge.prompts.reporting.view import Finished, build_view, say, span

TEMPLATES = "neuroforge.prompts.reporting"
MAX_ANCESTORS = 40
"""Of the tree that are shown."""


def render_report(finished: Finished) -> str:
    """Return one page that needs nothing else. Text of prompts, questions and replies is shown, and does nothing."""
    view = build_view(finished)
    return render_page(TEMPLATES, view=view, result=finished.result, say=say, span=span, max_ancestors=MAX_ANCESTORS)
