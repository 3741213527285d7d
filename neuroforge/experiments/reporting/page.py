"""ReportView -> one HTML file that needs nothing else: style and script stand in it, and nothing is fetched."""

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from neuroforge.experiments.reporting.view import ReportView

_PACKAGE = "neuroforge.experiments.reporting"


def render_page(view: ReportView) -> str:
    """Return the page. All text is escaped; a policy in it forbids every request and every script but its own."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (_read(environment, name) for name in ("report.css", "report.js"))
    return environment.get_template("report.html.j2").render(
        view=view,
        analysis=view.analysis,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy="; ".join(
            (
                "default-src 'none'",
                f"style-src '{_digest(style)}'",
                f"script-src '{_digest(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    )


def _read(environment: Environment, name: str) -> str:
    if environment.loader is None:
        raise AssertionError("the environment has a loader")
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
