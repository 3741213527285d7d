"""A finished run -> report.html: what was found, how, and what it takes to run it again."""

from neuroforge.pages.page import render_page
from neuroforge.prompts.reporting.view import Finished, build_view, say

TEMPLATES = "neuroforge.prompts.reporting"


def render_report(finished: Finished) -> str:
    """Return one page that needs nothing else. Text of prompts, questions and replies is shown, and does nothing."""
    return render_page(TEMPLATES, view=build_view(finished), result=finished.result, say=say)
