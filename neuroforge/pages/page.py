"""Templates and a view -> one HTML file that needs nothing else: style and script stand in it."""

import base64
import hashlib
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, TemplateNotFound
from markupsafe import Markup

_OWN = "neuroforge.pages"


def render_page(package: str, **values: Any) -> str:
    """Return the page that `report.html.j2` of a package makes of the values; it extends `layout.html.j2` of this one.

    A `report.css` or `report.js` of the package comes after the style and the script of all reports. All text is
    escaped; a policy in the page forbids every request and every script but its own.
    """
    loader = ChoiceLoader([PackageLoader(package), PackageLoader(_OWN)])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (
        "\n".join(_read(environment, name) for name in names)
        for names in (("page.css", "report.css"), ("page.js", "report.js"))
    )
    return environment.get_template("report.html.j2").render(
        **values,
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704 - our own files
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
    """The file's text; empty where a package has no such file."""
    if environment.loader is None:
        raise AssertionError("the environment has a loader")
    try:
        return environment.loader.get_source(environment, name)[0]
    except TemplateNotFound:
        return ""


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
